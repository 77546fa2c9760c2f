#pragma once

#include <string>
#include <string_view>

#include "bridge/core/result.h"
#include "bridge/normalize/normalizer.h"

namespace orbridge {

/// Whose request a file is taken to be.
struct PreviewFrom {
    SourceId source{"preview"};
    std::string source_type = "openregister";
    Intake intake = Intake::Webhooks;
    TimePoint received_at{};
};

/// What a recorded request (core/capture.h) or a bare JSON body would become; the sender is believed unseen.
/// Invalid: neither of these.
Result<NormalizeOutcome> preview(const Normalizer& normalizer, const Names& names, std::string_view file,
                                 const PreviewFrom& from);

/// For people: a line per property, the payload indented by no one, as it would be sent.
std::string preview_text(const NormalizeOutcome& outcome);
/// `{"mapped":[{…}]}` or `{"unmapped":{…}}`
std::string preview_json(const NormalizeOutcome& outcome);

}  // namespace orbridge
