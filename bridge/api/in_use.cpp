#include "bridge/api/in_use.h"

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {

Answer in_use_answer(const std::vector<std::string>& users) {
    JsonWriter json;
    json.object().key("error").object().member("code", "conflict");
    json.member("message", "in use by " + join(users, ", ")).key("users").array();
    for (const auto& user : users) json.value(user);
    json.end().end().end();
    return {.status = 409, .body = json.text()};
}

}  // namespace orbridge
