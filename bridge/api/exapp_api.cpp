#include "bridge/api/exapp_api.h"

#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

Answer result(const std::string& error) {
    JsonWriter json;
    json.object().member("error", error).end();
    return {.status = 200, .body = std::move(json).text()};
}

}  // namespace

Answer ExAppApi::heartbeat() { return {.status = 200, .body = R"({"status":"ok"})"}; }

Answer ExAppApi::init(const InboundRequest& request) {
    if (const auto verified = verifier_.verify(request, clock_.now()); !verified) return error_answer(verified.error());
    app_.init();
    return {.status = 200, .body = "{}"};
}

Answer ExAppApi::enabled(const InboundRequest& request) {
    if (const auto verified = verifier_.verify(request, clock_.now()); !verified) return error_answer(verified.error());
    const auto wanted = query_value(request.query, "enabled");
    if (wanted == "1") {
        app_.enable();
        return result("");
    }
    if (wanted == "0") return result(app_.disable());
    return error_answer(400, "invalid", "expected enabled=1 or enabled=0", "enabled");
}

}  // namespace orbridge
