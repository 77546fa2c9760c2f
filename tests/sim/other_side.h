#pragma once

#include <set>
#include <string>

#include "bridge/core/http.h"
#include "bridge/core/ids.h"
#include "tests/sim/ledger.h"

namespace orbridge::sim {

/// What answers for a target when nothing goes wrong.
class OtherSide {
public:
    enum class Kind {
        Windmill,  ///< takes each job id once, and can be asked about it
        Plain,     ///< takes everything it gets
    };

    OtherSide(TargetId target, Kind kind, Ledger& ledger) : target_(std::move(target)), kind_(kind), ledger_(ledger) {}

    Kind kind() const { return kind_; }
    HttpResponse run(const DeliveryId& id);
    HttpResponse look_up(const DeliveryId& id) const;

private:
    TargetId target_;
    Kind kind_;
    Ledger& ledger_;
    std::set<DeliveryId> jobs_;
};

}  // namespace orbridge::sim
