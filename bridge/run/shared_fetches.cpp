#include "bridge/run/shared_fetches.h"

#include <algorithm>

namespace orbridge {
namespace {

std::string name_of(const HttpRequest& request) {
    auto name = request.method + '\n' + request.url;
    for (const auto& header : request.headers) name += '\n' + header.name + ": " + header.value;
    return name;
}

bool is_good(const Exchange& exchange) {
    const auto* response = std::get_if<HttpResponse>(&exchange);
    return response != nullptr && (response->status / 100 == 2 || response->status == 304);
}

}  // namespace

Exchanger SharedFetches::share(Exchanger send, milliseconds fresh_for) {
    const std::lock_guard lock(mutex_);
    kept_for_ = std::max(kept_for_, fresh_for);
    return [self = shared_from_this(), send = std::move(send), fresh_for](HttpRequest request) {
        return self->fetch(send, std::move(request), fresh_for);
    };
}

Exchange SharedFetches::fetch(const Exchanger& send, HttpRequest request, milliseconds fresh_for) {
    const auto name = name_of(request);
    const auto mine = std::make_shared<Fetch>();
    {
        std::unique_lock lock(mutex_);
        if (const auto found = fetches_.find(name); found != fetches_.end()) {
            const auto other = found->second;
            const bool waited = !other->done;
            done_.wait(lock, [&] { return other->done; });
            const auto age = clock_.now() - other->at;
            if (waited || (is_good(other->exchange) && age >= milliseconds{0} && age <= fresh_for))
                return other->exchange;
        }
        std::erase_if(fetches_, [&](const auto& each) {
            return each.second->done && (clock_.now() - each.second->at > kept_for_ || !is_good(each.second->exchange));
        });
        fetches_[name] = mine;
    }
    auto exchange = send(std::move(request));
    const std::lock_guard lock(mutex_);
    mine->exchange = exchange;
    mine->at = clock_.now();
    mine->done = true;
    done_.notify_all();
    return exchange;
}

}  // namespace orbridge
