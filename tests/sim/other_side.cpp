#include "tests/sim/other_side.h"

namespace orbridge::sim {

HttpResponse OtherSide::run(const DeliveryId& id) {
    if (kind_ == Kind::Plain) {
        ledger_.acted(target_, id);
        return {.status = 200, .headers = {}, .body = "ok"};
    }
    if (!jobs_.insert(id).second)
        return {.status = 400, .headers = {}, .body = "Bad request: Job with id " + id.value + " already exists"};
    ledger_.acted(target_, id);
    return {.status = 201, .headers = {}, .body = id.value};
}

HttpResponse OtherSide::look_up(const DeliveryId& id) const {
    if (jobs_.count(id) == 0) return {.status = 404, .headers = {}, .body = "Not found: Job not found"};
    return {.status = 200, .headers = {}, .body = R"({"type":"QueuedJob","id":")" + id.value + R"("})"};
}

}  // namespace orbridge::sim
