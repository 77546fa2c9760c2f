#pragma once

#include <memory>
#include <string>

#include "bridge/core/secret.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// What Nextcloud's AppAPI shows an ExApp: EX-APP-ID, and AUTHORIZATION-APP-API with base64 of `user:secret`
/// (nextcloud.md §5.5). Behind HaRP browsers' requests carry it too, so it proves the way, not the sender: paths
/// that only Nextcloud itself may call must have no `<route>`, and where more is shared, `then` asks for that.
class AppApi final : public Verifier {
public:
    AppApi(std::string id, Secret secret, std::shared_ptr<const Verifier> then = nullptr)
        : id_(std::move(id)), secret_(std::move(secret)), then_(std::move(then)) {}

    Result<Proof> verify(const InboundRequest& request, TimePoint now) const override;

private:
    std::string id_;
    Secret secret_;
    std::shared_ptr<const Verifier> then_;
};

}  // namespace orbridge
