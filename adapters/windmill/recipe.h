#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/windmill/settings.h"
#include "bridge/core/mask.h"
#include "bridge/deliver/recipe.h"

namespace orbridge::windmill {

/// Told how many texts were changed in an event; `what` is `reference` or `mended`. Any thread.
using Counted = std::function<void(std::string_view what, int count)>;

/// Runs a script or flow for each event. The delivery's id is the job's id, so that Windmill itself refuses
/// to run a delivery twice (windmill.md §1.3).
class WindmillRecipe final : public Recipe {
public:
    explicit WindmillRecipe(WindmillSettings settings, Counted counted = {});

    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;

    std::optional<HttpRequest> inquiry_for(const Delivery& delivery) const override;
    Arrived arrived(const Delivery& delivery, const HttpResponse& response) const override;

    std::optional<HttpRequest> follow_request(const FollowedJob& job) const override;
    FollowedJob followed(FollowedJob job, const HttpResponse& response) const override;

    std::string shown(std::string text) const override { return mask_(std::move(text)); }
    std::vector<TestStep> test(Transport& transport) const override;

private:
    /// The answer without the token, which it may repeat.
    HttpResponse masked(HttpResponse response) const;
    HttpRequest get(std::string url) const;

    const WindmillSettings settings_;
    const Mask mask_;
    const Counted counted_;
    const std::string run_url_;  ///< up to the job's id
};

/// What an answer to a run request means (windmill.md §1.4).
Outcome read_run_answer(const std::string& job_id, const HttpResponse& response);
/// The job moved on by an answer to one of its follow requests (windmill.md §3).
FollowedJob read_job_answer(FollowedJob job, const HttpResponse& response);

}  // namespace orbridge::windmill
