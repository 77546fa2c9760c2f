#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "bridge/core/clock.h"
#include "bridge/core/guarded.h"
#include "bridge/core/http.h"
#include "bridge/credentials/book.h"
#include "bridge/credentials/catalogue.h"
#include "bridge/settings/settings.h"

/// OAuth 2.0 (RFC 6749): an access token by client credentials (§4.4) or by a refresh token (§6), renewed ahead of its
/// end and kept with the credentials, so that it survives a restart (integrations.md S12).
namespace orbridge {

inline constexpr const char* kOAuth2 = "oauth2";  ///< as an adapter's name

/// `client_id`, `client_secret`, `refresh_token`, and what the other side gave for them.
const Fields& oauth2_fields();

/// What asks for a token. With a refresh token that is used.
HttpRequest token_request(const OAuth2Settings& settings, const Json& values);

struct TokenRefused {
    std::string reason;  ///< without secrets
};
struct TokenUnavailable {
    std::string reason;
};
struct TokenGiven {
    Secret values;  ///< as they are now
};
using TokenAnswer = std::variant<TokenGiven, TokenRefused, TokenUnavailable>;
/// What came of it. `values`: those that it was asked with.
TokenAnswer token_answer(const Exchange& exchange, const OAuth2Settings& settings, const Json& values, TimePoint now);

/// Asks for a token with complete values and keeps nothing of it. Invalid: there is a refresh token, which that may use
/// up.
Result<CredentialTest> try_oauth2(const OAuth2Settings& settings, const Secret& values,
                                  const std::function<Exchange(HttpRequest)>& send, TimePoint now);

/// Hands out access tokens. Safe from any thread; blocks for the exchange. Everything given to it must outlive it.
class OAuth2Tokens {
public:
    using Send = std::function<Exchange(HttpRequest)>;
    OAuth2Tokens(CredentialBook& book, const Clock& clock, Send send)
        : book_(book), clock_(clock), send_(std::move(send)) {}

    struct Token {
        HeldCredential of;
        Secret access;
    };
    /// One that is good for a while. However many ask at once, one request is made. NotFound:
    /// `credentials_required`. Unauthorized: they were refused, which the book knows by then. Unavailable: nobody
    /// answered, or not as the standard says.
    Result<Token> token(const OAuth2Settings& settings);
    /// The one that was refused in use is worth nothing though its time is not over.
    Result<Token> token_after(const OAuth2Settings& settings, const Token& refused);

private:
    using Renewal = std::shared_future<Result<HeldCredential>>;
    Result<HeldCredential> renew(const OAuth2Settings& settings, const HeldCredential& held);
    Result<HeldCredential> renew_once(const OAuth2Settings& settings, const HeldCredential& held);
    Result<Token> renewed(const OAuth2Settings& settings, const HeldCredential& held);

    CredentialBook& book_;
    const Clock& clock_;
    Send send_;
    Guarded<std::map<std::string, Renewal>> renewals_;  ///< by id and version
};

}  // namespace orbridge
