#pragma once

#include <string>
#include <vector>

#include "bridge/core/secret.h"
#include "bridge/verify/verifier.h"

namespace orbridge {

/// The named header holds one of the tokens, in `Authorization` behind the word `Bearer`. Says nothing about
/// the body: the way there must be trusted. An empty token is never good.
class SharedToken final : public Verifier {
public:
    SharedToken(std::string header, std::vector<Secret> tokens)
        : header_(std::move(header)), tokens_(std::move(tokens)) {}

    Result<Proof> verify(const InboundRequest& request, TimePoint now) const override;

private:
    std::string header_;
    std::vector<Secret> tokens_;
};

}  // namespace orbridge
