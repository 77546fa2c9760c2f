#include "adapters/windmill/recipe.h"

#include <utility>

#include "adapters/windmill/arguments.h"
#include "adapters/windmill/check.h"

namespace orbridge::windmill {
namespace {

/// A job's arguments and result come back with it; a result that is kept has at most 20,000 bytes.
constexpr std::size_t kJobBytesMax = 4 << 20;
/// Every so often the job itself is asked for: an unknown id looks like a queued one to get_result_maybe.
constexpr int kWholeJobEvery = 8;

std::string run_url_of(const Runnable& runnable) {
    return runnable.run_url() + '?' + (runnable.query.empty() ? "" : runnable.query + '&') + "job_id=";
}

Mask mask_of(const Secret& token) {
    Mask mask;
    mask.add(token.reveal());
    return mask;
}

}  // namespace

WindmillRecipe::WindmillRecipe(WindmillSettings settings, Counted counted)
    : settings_(std::move(settings)),
      mask_(mask_of(settings_.token)),
      counted_(std::move(counted)),
      run_url_(run_url_of(settings_.runnable)) {}

HttpResponse WindmillRecipe::masked(HttpResponse response) const {
    response.body = mask_(std::move(response.body));
    return response;
}

Result<HttpRequest> WindmillRecipe::request_for(const Delivery& delivery, const std::string& route) const {
    const auto own = settings_.by_route.find(route);
    const auto policy = own == settings_.by_route.end() ? settings_.interpolation : own->second;
    auto arguments = arguments_for(delivery, settings_.wrap, policy);
    if (!arguments) return arguments.error();
    if (counted_ && arguments->references > 0) counted_("reference", arguments->references);
    if (counted_ && arguments->mended > 0) counted_("mended", arguments->mended);
    return HttpRequest{
        .method = "POST",
        .url = run_url_ + delivery.id.value,
        .headers = {{"Authorization", "Bearer " + settings_.token.reveal()}, {"Content-Type", "application/json"}},
        .body = std::move(arguments->json),
        .connect_timeout = settings_.connect_timeout,
        .timeout = settings_.timeout,
        .answer_bytes_max = settings_.answer_bytes_max};
}

Outcome WindmillRecipe::outcome_of(const Delivery& delivery, const HttpResponse& response) const {
    return read_run_answer(delivery.id.value, masked(response));
}

HttpRequest WindmillRecipe::get(std::string url) const {
    return {.method = "GET",
            .url = std::move(url),
            .headers = {{"Authorization", "Bearer " + settings_.token.reveal()}},
            .body = {},
            .connect_timeout = settings_.connect_timeout,
            .timeout = settings_.timeout,
            .answer_bytes_max = settings_.answer_bytes_max};
}

std::optional<HttpRequest> WindmillRecipe::inquiry_for(const Delivery& delivery) const {
    return get(settings_.runnable.workspace_url() + "/jobs_u/get/" + delivery.id.value + "?no_logs=true&no_code=true");
}

Recipe::Arrived WindmillRecipe::arrived(const Delivery& delivery, const HttpResponse& response) const {
    // Not just any 200: a path outside /api/ is answered with a page. A job with its arguments may be cut.
    const bool is_job = response.body.starts_with('{') &&
                        (response.body_cut || response.body.find(delivery.id.value) != std::string::npos);
    if (response.status == 200 && is_job) return Arrived::Yes;
    if (response.status == 404 && response.body.find("Job not found") != std::string::npos) return Arrived::No;
    // This token may run but not look (windmill.md §3). Sending again says as much: the id is refused if it is known.
    const bool anonymous = response.status == 400 && response.body.find("non logged in user") != std::string::npos;
    if (anonymous || response.status == 403) return Arrived::No;
    return Arrived::Unknown;
}

std::optional<HttpRequest> WindmillRecipe::follow_request(const FollowedJob& job) const {
    if (!settings_.follow) return std::nullopt;
    const auto jobs = settings_.runnable.workspace_url() + "/jobs_u/";
    // get_result_maybe has ended it, but calls a flow that stopped on purpose failed.
    const bool ended = !job.result.empty();
    if (!ended && job.checks % kWholeJobEvery != kWholeJobEvery - 1)
        return get(jobs + "completed/get_result_maybe/" + job.job + "?get_started=true");
    auto request = get(jobs + "get/" + job.job + "?no_logs=true&no_code=true");
    request.answer_bytes_max = kJobBytesMax;
    return request;
}

FollowedJob WindmillRecipe::followed(FollowedJob job, const HttpResponse& response) const {
    return read_job_answer(std::move(job), masked(response));
}

std::vector<TestStep> WindmillRecipe::test(Transport& transport) const {
    auto steps = check_target(settings_, transport);
    for (auto& step : steps) step.detail = mask_(std::move(step.detail));
    return steps;
}

}  // namespace orbridge::windmill
