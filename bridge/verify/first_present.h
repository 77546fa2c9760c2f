#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bridge/verify/verifier.h"

namespace orbridge {

/// Several ways to prove oneself, each told by its header. The first whose header is there decides alone: a wrong
/// signature is not mended by a right token. Unauthorized if none is there.
class FirstPresent final : public Verifier {
public:
    struct Way {
        std::string header;
        std::shared_ptr<const Verifier> verifier;
    };
    explicit FirstPresent(std::vector<Way> ways) : ways_(std::move(ways)) {}

    Result<Proof> verify(const InboundRequest& request, TimePoint now) const override;

private:
    std::vector<Way> ways_;
};

}  // namespace orbridge
