#pragma once

#include <functional>
#include <memory>

#include "bridge/core/guarded.h"
#include "bridge/credentials/oauth2.h"
#include "bridge/poll/poller.h"
#include "bridge/run/source_client.h"

namespace orbridge {

/// Sends requests with an access token, in place of any other `Authorization`. One that is refused is renewed once,
/// and the request is sent again; what is refused then says that the credentials are worth nothing. Tokens and
/// book must outlive it. Safe from any thread.
Exchanger with_oauth2(OAuth2Settings settings, OAuth2Tokens& tokens, CredentialBook& book, Exchanger send);

/// Asks nothing of a source before there is a token for it: missing and refused credentials end the polling until
/// it is told to hurry (integrations.md S12, S13).
class AuthorizedPoller final : public Poller {
public:
    AuthorizedPoller(OAuth2Settings settings, OAuth2Tokens& tokens, const CredentialBook& book,
                     std::unique_ptr<Poller> inner)
        : settings_(std::move(settings)), tokens_(tokens), book_(book), inner_(std::move(inner)) {}

    PollStep step(const std::string& cursor) override;
    std::string reads() const override { return inner_->reads(); }
    std::vector<std::string> cannot_tell() const override { return inner_->cannot_tell(); }

private:
    bool is_refused_by_now() const;
    OAuth2Settings settings_;
    OAuth2Tokens& tokens_;
    const CredentialBook& book_;
    std::unique_ptr<Poller> inner_;
};

}  // namespace orbridge
