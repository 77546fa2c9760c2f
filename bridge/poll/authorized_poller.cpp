#include "bridge/poll/authorized_poller.h"

namespace orbridge {
namespace {

constexpr int kUnauthorized = 401;

HttpRequest authorized(HttpRequest request, const OAuth2Tokens::Token& token) {
    std::erase_if(request.headers, [](const Header& h) { return equal_ignoring_case(h.name, "authorization"); });
    request.headers.push_back({"Authorization", "Bearer " + token.access.reveal()});
    return request;
}

bool is_refused(const Exchange& exchange) {
    const auto* response = std::get_if<HttpResponse>(&exchange);
    return response != nullptr && response->status == kUnauthorized;
}

bool is_success(const Exchange& exchange) {
    const auto* response = std::get_if<HttpResponse>(&exchange);
    return response != nullptr && response->status / 100 == 2;
}

Exchange not_sent(const Error& error) {
    TransportFailure failure;
    failure.reached = TransportFailure::Reached::NothingSent;
    failure.reason = error.message;
    return failure;
}

}  // namespace

Exchanger with_oauth2(OAuth2Settings settings, OAuth2Tokens& tokens, CredentialBook& book, Exchanger send) {
    return [settings = std::move(settings), &tokens, &book, send = std::move(send)](HttpRequest request) -> Exchange {
        auto token = tokens.token(settings);
        if (!token) return not_sent(token.error());
        auto exchange = send(authorized(request, *token));
        if (is_refused(exchange)) {
            token = tokens.token_after(settings, *token);
            if (!token) return not_sent(token.error());
            exchange = send(authorized(std::move(request), *token));
            if (is_refused(exchange)) book.report(token->of, false, "HTTP 401 with a fresh token");
        }
        if (is_success(exchange)) book.report(token->of, true, "accepted");
        return exchange;
    };
}

bool AuthorizedPoller::is_refused_by_now() const {
    const auto held = book_.values({kOAuth2, settings_.credentials, settings_.owner});
    return held && held->verdict == CredentialRow::Verdict::Refused;
}

PollStep AuthorizedPoller::step(const std::string& cursor) {
    const auto token = tokens_.token(settings_);
    if (token) {
        auto step = inner_->step(cursor);
        if (step.trouble && is_refused_by_now()) step.trouble->kind = Trouble::Kind::Credentials;
        return step;
    }
    const bool is_final =
        token.error().kind == Error::Kind::NotFound || token.error().kind == Error::Kind::Unauthorized;
    PollStep step;
    step.trouble =
        Trouble{is_final ? Trouble::Kind::Credentials : Trouble::Kind::Unreachable, token.error().message, {}};
    return step;
}

}  // namespace orbridge
