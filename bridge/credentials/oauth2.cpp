#include "bridge/credentials/oauth2.h"

#include <algorithm>
#include <utility>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::int64_t kLifetimeMax = 10LL * 365 * 24 * 3600;  // seconds
constexpr std::size_t kErrorLengthMax = 60;

Field field(std::string name, Field::Type type, std::string title, std::string description) {
    Field made;
    made.name = std::move(name);
    made.type = type;
    made.title = std::move(title);
    made.description = std::move(description);
    return made;
}

CredentialName name_of(const OAuth2Settings& settings) { return {kOAuth2, settings.credentials, settings.owner}; }

std::string text(const Json& values, const char* name) { return values[name].string().value_or(""); }

void add(std::string& form, std::string_view name, std::string_view value) {
    if (!form.empty()) form += '&';
    form += percent_encode(name) + '=' + percent_encode(value);
}

/// `error` of RFC 6749 §5.2 is one of a few words. Anything else may be anything, a secret included.
std::string error_word(const Json& answer) {
    const auto word = text(answer, "error");
    const bool is_word =
        !word.empty() && word.size() <= kErrorLengthMax &&
        std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    return is_word ? word : "";
}

/// Renewed ahead of its end; of one that lives shorter than twice the margin, at half time.
Secret with_token(const Json& values, const Json& answer, const OAuth2Settings& settings, TimePoint now) {
    JsonWriter json;
    json.object();
    for (const auto* kept : {"client_id", "client_secret"})
        if (values[kept].present()) json.member_raw(kept, values[kept].raw());
    // One that comes with client credentials is not wanted: RFC 6749 §4.4.3.
    const bool is_new = values["refresh_token"].present() && answer["refresh_token"].is_string();
    const auto refresh = is_new ? answer["refresh_token"] : values["refresh_token"];
    if (refresh.present()) json.member_raw("refresh_token", refresh.raw());
    json.member_raw("access_token", answer["access_token"].raw());
    const auto lifetime = answer["expires_in"].integer().value_or(kLifetimeMax);  // not told: until it is refused
    const milliseconds lives = seconds{std::clamp<std::int64_t>(lifetime, 0, kLifetimeMax)};
    const auto end = now + lives;
    const auto renew_at = end - std::min(settings.margin, lives / 2);
    json.member("expires_at", std::int64_t{end.time_since_epoch().count()});
    json.member("renew_at", std::int64_t{renew_at.time_since_epoch().count()});
    return Secret(json.end().text());
}

bool is_usable(const Json& values, const char* until, TimePoint now) {
    if (text(values, "access_token").empty()) return false;
    const auto end = values[until].integer();
    return end && now < TimePoint{milliseconds{*end}};
}

}  // namespace

const Fields& oauth2_fields() {
    static const Fields kFields = [] {
        using Type = Field::Type;
        Fields fields = {
            field("client_id", Type::String, "Client id", "As registered with the service"),
            field("client_secret", Type::Password, "Client secret", "Of a client that has one"),
            field("refresh_token", Type::Password, "Refresh token", "Without one, client credentials are used"),
            field("access_token", Type::Password, "Access token", "Kept by orbridge; need not be given"),
            field("expires_at", Type::Integer, "End of the access token", "Kept by orbridge, in ms since 1970"),
            field("renew_at", Type::Integer, "When it is renewed", "Kept by orbridge, in ms since 1970")};
        fields.front().required = true;
        return fields;
    }();
    return kFields;
}

HttpRequest token_request(const OAuth2Settings& settings, const Json& values) {
    HttpRequest request;
    request.url = settings.token_url;
    const auto refresh = text(values, "refresh_token");
    add(request.body, "grant_type", refresh.empty() ? "client_credentials" : "refresh_token");
    if (!refresh.empty()) add(request.body, "refresh_token", refresh);
    if (!settings.scope.empty()) add(request.body, "scope", settings.scope);
    const auto id = text(values, "client_id");
    const auto secret = text(values, "client_secret");
    const bool in_header = settings.in_header && !secret.empty();
    if (!in_header) add(request.body, "client_id", id);
    if (!in_header && !secret.empty()) add(request.body, "client_secret", secret);
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Accept", "application/json"},
                       {"User-Agent", "orbridge/" ORBRIDGE_VERSION}};
    if (in_header) {  // §2.3.1: both are form-encoded first
        request.headers.push_back(
            {"Authorization", "Basic " + to_base64(percent_encode(id) + ':' + percent_encode(secret))});
    }
    request.timeout = settings.timeout;
    request.answer_bytes_max = 1 << 16;
    return request;
}

TokenAnswer token_answer(const Exchange& exchange, const OAuth2Settings& settings, const Json& values, TimePoint now) {
    const auto asked = "token request to " + where(settings.token_url) + ": ";
    if (const auto* failure = std::get_if<TransportFailure>(&exchange))
        return TokenUnavailable{asked + "no answer: " + failure->reason};
    const auto& response = std::get<HttpResponse>(exchange);
    const auto document = JsonDocument::parse(response.body);
    const auto answer = document ? (*document)->root() : Json();
    const auto word = error_word(answer);
    const auto said = asked + "HTTP " + std::to_string(response.status) + (word.empty() ? "" : ", " + word);
    if (response.status == 400 || response.status == 401 || response.status == 403) return TokenRefused{said};
    if (response.status / 100 != 2) return TokenUnavailable{said};
    if (text(answer, "access_token").empty()) return TokenUnavailable{said + ", without an access token"};
    if (!equal_ignoring_case(answer["token_type"].string().value_or("bearer"), "bearer"))
        return TokenUnavailable{said + ", with a token that is no bearer token"};
    return TokenGiven{with_token(values, answer, settings, now)};
}

Result<CredentialTest> try_oauth2(const OAuth2Settings& settings, const Secret& values,
                                  const std::function<Exchange(HttpRequest)>& send, TimePoint now) {
    const auto document = JsonDocument::parse(values.reveal());
    if (!document) return document.error();
    const auto root = (*document)->root();
    if (root["refresh_token"].present()) {
        return Error{Error::Kind::Invalid,
                     "a refresh token may be used up by trying it out: what polling makes of it tells (is_valid)"};
    }
    const auto answer = token_answer(send(token_request(settings, root)), settings, root, now);
    if (const auto* refused = std::get_if<TokenRefused>(&answer)) return CredentialTest{false, true, refused->reason};
    if (const auto* nobody = std::get_if<TokenUnavailable>(&answer))
        return CredentialTest{false, false, nobody->reason};
    return CredentialTest{true, false, "a token was given by " + where(settings.token_url)};
}

Result<OAuth2Tokens::Token> OAuth2Tokens::token(const OAuth2Settings& settings) {
    const auto held = book_.values(name_of(settings));
    if (!held) return held.error();
    const auto document = JsonDocument::parse(held->values.reveal());
    if (!document) return document.error();
    const auto values = (*document)->root();
    if (is_usable(values, "renew_at", clock_.now())) return Token{*held, Secret(text(values, "access_token"))};
    auto fresh = renewed(settings, *held);
    const bool may_wait = !fresh && fresh.error().kind == Error::Kind::Unavailable;
    if (may_wait && is_usable(values, "expires_at", clock_.now()))
        return Token{*held, Secret(text(values, "access_token"))};
    return fresh;
}

Result<OAuth2Tokens::Token> OAuth2Tokens::token_after(const OAuth2Settings& settings, const Token& refused) {
    const auto held = book_.values(name_of(settings));
    if (!held) return held.error();
    if (held->id != refused.of.id || held->version != refused.of.version) return token(settings);
    return renewed(settings, *held);
}

Result<OAuth2Tokens::Token> OAuth2Tokens::renewed(const OAuth2Settings& settings, const HeldCredential& held) {
    auto fresh = renew(settings, held);
    if (!fresh) return fresh.error();
    const auto document = JsonDocument::parse(fresh->values.reveal());
    if (!document) return document.error();
    auto access = Secret(text((*document)->root(), "access_token"));
    return Token{*std::move(fresh), std::move(access)};
}

/// Whoever comes first asks; the others wait for what comes of it. No lock is held meanwhile.
Result<HeldCredential> OAuth2Tokens::renew(const OAuth2Settings& settings, const HeldCredential& held) {
    const auto key = held.id + ' ' + std::to_string(held.version);
    std::promise<Result<HeldCredential>> promise;
    const auto running = renewals_.with([&](auto& renewals) -> std::optional<Renewal> {
        const auto [place, is_first] = renewals.try_emplace(key, promise.get_future().share());
        return is_first ? std::nullopt : std::optional(place->second);
    });
    if (running) return running->get();
    auto result = renew_once(settings, held);
    promise.set_value(result);
    renewals_.with([&](auto& renewals) { renewals.erase(key); });
    return result;
}

Result<HeldCredential> OAuth2Tokens::renew_once(const OAuth2Settings& settings, const HeldCredential& held) {
    // Another one may have ended between the reading of these values and now.
    auto latest = book_.values(name_of(settings));
    if (latest && (latest->id != held.id || latest->version != held.version)) return latest;
    const auto document = JsonDocument::parse(held.values.reveal());
    if (!document) return document.error();
    const auto values = (*document)->root();
    const auto exchange = send_(token_request(settings, values));
    const auto answer = token_answer(exchange, settings, values, clock_.now());
    if (const auto* given = std::get_if<TokenGiven>(&answer)) return book_.renew(held, given->values);
    if (const auto* refused = std::get_if<TokenRefused>(&answer)) {
        book_.report(held, false, refused->reason);
        return Error{Error::Kind::Unauthorized, refused->reason};
    }
    return Error{Error::Kind::Unavailable, std::get<TokenUnavailable>(answer).reason};
}

}  // namespace orbridge
