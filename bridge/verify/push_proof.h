#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// What one HMAC-SHA256 in a header looks like, and over what it is made.
struct SignatureForm {
    enum class Encoding { Hex, Base64 };  ///< hex in lower case, Base64 with its padding
    std::string header;
    Encoding encoding = Encoding::Hex;
    std::string prefix{};            ///< stands before the signature: `sha256=`
    std::string timestamp_header{};  ///< seconds since 1970; empty: the sender tells no time
    std::string id_header{};         ///< names the request; empty: nothing does
    std::string content = "{body}";  ///< what is signed; `{timestamp}` and `{id}` are those headers as sent
};

/// How the sender of a push source proves itself, as configured. What a scheme does not use is not looked at.
struct PushProof {
    std::string scheme;
    std::vector<Secret> secrets{};           ///< all are good, for rotation
    std::vector<std::string> public_keys{};  ///< Standard Webhooks: `whpk_…`, of ed25519; all are good
    Secret verify_token{};                   ///< Meta's question whether we are expecting it
    milliseconds tolerance{300'000};         ///< a signed time may be so far away, in both directions
    SignatureForm signature{};               ///< of scheme `hmac`
};

}  // namespace orbridge
