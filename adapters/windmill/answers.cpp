#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "adapters/windmill/recipe.h"
#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge::windmill {
namespace {

constexpr std::size_t kExcerptMax = 160;
constexpr std::size_t kResultMax = 20'000;
constexpr milliseconds kSlowly{10 * 60'000};  // a quota or a licence does not heal in a second
using Why = Retry::Why;

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// One printable line of what came, for people.
std::string excerpt(const HttpResponse& response) {
    std::string line = "HTTP " + std::to_string(response.status);
    const auto text = trim(response.body);
    if (text.empty()) return line;
    line += ": ";
    for (const char c : text.substr(0, kExcerptMax)) line += c >= 0x20 && c < 0x7f ? c : ' ';
    return line;
}

Retry retry(const HttpResponse& response, Why why, const std::string& meaning = {}, milliseconds at_least = {}) {
    Retry retry;
    retry.reason = meaning.empty() ? excerpt(response) : meaning + " (" + excerpt(response) + ")";
    retry.why = why;
    retry.at_least = std::max(at_least, retry_after(response));
    return retry;
}

Rejected rejected(const HttpResponse& response, const std::string& meaning) {
    return {meaning + " (" + excerpt(response) + ")"};
}

bool is_sql(std::string_view body) { return body.starts_with("SqlErr:") || body.starts_with("Sql error:"); }

/// The id was accepted before: by an earlier attempt whose answer got lost.
bool is_duplicate(std::string_view body, const std::string& job_id) {
    if (is_sql(body)) return has(body, "duplicate key value");
    return body.starts_with("Bad request: Job with id") && has(body, "already exists") &&
           has(to_lower(std::string(body)), job_id);
}

Outcome read_2xx(const HttpResponse& response) {
    const auto id = to_lower(std::string(trim(response.body)));
    if (is_uuid(id)) return Delivered{.reference = id};
    return retry(response, Why::Misconfigured,
                 "no job id in the answer: is this Windmill's /api, and nothing before it?");
}

/// A database in trouble answers 400 as well: only texts that are known to be about the request are final.
Outcome read_400(const std::string& job_id, const HttpResponse& response) {
    const std::string_view body = response.body;
    if (is_duplicate(body, job_id)) return Delivered{.reference = job_id, .duplicate = true};
    if (is_sql(body)) {
        if (has(body, "unsupported Unicode escape sequence") || has(body, "invalid input syntax for type json"))
            return rejected(response, "Windmill's database cannot store a character in the event");
        return retry(response, Why::Trouble, "Windmill's database is in trouble");
    }
    if (body.starts_with("Quota exceeded"))
        return retry(response, Why::RateLimited, "Windmill's quota is used up", kSlowly);
    if (has(body, "License key is not valid"))
        return retry(response, Why::Misconfigured, "Windmill's licence", kSlowly);
    static constexpr std::array<std::string_view, 4> kFinal = {"invalid json", "invalid utf8",
                                                               "Failed to deserialize query string", " tag "};
    const bool is_final = std::any_of(kFinal.begin(), kFinal.end(), [&](auto text) { return has(body, text); });
    const bool is_windmills = body.starts_with("Bad request:") || body.starts_with("Failed to deserialize");
    if (is_final && is_windmills) return rejected(response, "Windmill does not take the request");
    return retry(response, Why::Misconfigured, "not an answer that is known of Windmill");
}

const char* meaning_of(int status, std::string_view body) {
    switch (status) {
        case 401:
            return has(body, "but it exists") ? "the token's user may not read the script or flow"
                   : body.starts_with("Not authorized")
                       ? "the token is unknown, expired or of another workspace, or Windmill's database is in trouble"
                       : "no token, or a proxy in front of Windmill wants one of its own";
        case 403: return "the token's scopes do not cover this run";
        case 404:
            return body.starts_with("Not found") ? "no such script or flow, or its first version is not deployed yet"
                                                 : "no such address: is the URL Windmill's?";
        case 405: return "the URL is not a run URL";
        default: return "";
    }
}

}  // namespace

Outcome read_run_answer(const std::string& job_id, const HttpResponse& response) {
    const int status = response.status;
    if (status / 100 == 2) return read_2xx(response);
    if (status == 400) return read_400(job_id, response);
    if (status == 401 || status == 403 || status == 404 || status == 405)
        return retry(response, Why::Misconfigured, meaning_of(status, response.body));
    if (status == 413) return rejected(response, "the event is larger than Windmill or a proxy takes");
    if (status == 429) return retry(response, Why::RateLimited);
    if (status == 408) return retry(response, Why::Timeout);
    if (status / 100 == 3) return retry(response, Why::Misconfigured, "redirects are not followed");
    if (status / 100 == 4) return retry(response, Why::Misconfigured, "not an answer that is known of Windmill");
    auto trouble = retry(response, Why::Trouble);
    trouble.unclear = true;  // it, or the server behind the proxy, may have queued the job before it failed
    return trouble;
}

namespace {

FollowedJob ended(FollowedJob job, const char* state) {
    job.state = state;
    return job;
}

std::string kept(std::string_view result) {
    if (result.empty()) return "null";
    if (result.size() <= kResultMax) return std::string(result);
    return json_string("a result of " + std::to_string(result.size()) + " bytes, to be seen in Windmill");
}

/// `{"started":…,"success":…,"completed":…,"result":…}`: the result is last, and may have been cut.
FollowedJob read_result_maybe(FollowedJob job, const Json& answer, bool cut) {
    job.state = answer["started"].boolean().value_or(false) ? "running" : "waiting";
    if (!answer["completed"].boolean().value_or(false)) return job;
    job.result = cut ? json_string("a large result, to be seen in Windmill") : kept(answer["result"].raw());
    // False is also said of a flow that stopped early on purpose: the next check asks for the job itself.
    job.state = answer["success"].boolean().value_or(false) ? "succeeded" : "running";
    return job;
}

FollowedJob read_whole_job(FollowedJob job, const Json& answer) {
    if (answer["type"].string() != "CompletedJob") {
        job.state = answer["running"].boolean().value_or(false) ? "running" : "waiting";
        return job;
    }
    job.result = kept(answer["result"].raw());
    if (answer["canceled"].boolean().value_or(false)) return ended(std::move(job), "canceled");
    if (answer["is_skipped"].boolean().value_or(false)) return ended(std::move(job), "skipped");
    return ended(std::move(job), answer["success"].boolean().value_or(false) ? "succeeded" : "failed");
}

std::string closed(const HttpResponse& response) {
    if (!response.body_cut) return response.body;
    const auto at = response.body.find("\"result\":");
    return at == std::string::npos ? response.body : response.body.substr(0, at) + "\"result\":null}";
}

}  // namespace

FollowedJob read_job_answer(FollowedJob job, const HttpResponse& response) {
    ++job.checks;
    if (response.status == 404 && has(response.body, "Job not found")) return ended(std::move(job), "lost");
    if (response.status != 200) return job;
    const auto document = JsonDocument::parse(closed(response), {.depth_max = 512, .values_max = 10'000'000});
    if (document && (*document)->root()["completed"].present())
        return read_result_maybe(std::move(job), (*document)->root(), response.body_cut);
    if (document && (*document)->root()["type"].present()) return read_whole_job(std::move(job), (*document)->root());
    // The job itself is too large to be read; what get_result_maybe said has to do.
    return response.body_cut && !job.result.empty() ? ended(std::move(job), "failed") : job;
}

}  // namespace orbridge::windmill
