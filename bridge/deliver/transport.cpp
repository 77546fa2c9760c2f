#include "bridge/deliver/transport.h"

#include <future>
#include <memory>
#include <utility>

namespace orbridge {

Exchange exchange(Transport& transport, HttpRequest request) {
    // Shared, because the driver may still be inside set_value() when get() returns here.
    const auto answer = std::make_shared<std::promise<Exchange>>();
    transport.send(std::move(request),
                   [answer](Transport::Finished finished) { answer->set_value(std::move(finished.exchange)); });
    return answer->get_future().get();
}

}  // namespace orbridge
