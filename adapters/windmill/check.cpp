#include "adapters/windmill/check.h"

#include <utility>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge::windmill {
namespace {

using Verdict = TestStep::Verdict;

/// The probes one after another, each a question and a reading.
class Check {
public:
    Check(const WindmillSettings& settings, Transport& transport) : settings_(settings), transport_(transport) {}

    std::vector<TestStep> run() {
        if (!reach()) return std::move(steps_);
        health();
        if (!token() || !may_run()) return std::move(steps_);
        if (runnable().by_path()) {
            exists();
            takes_arguments();
        } else {
            add("script or flow", Verdict::Skipped, "only paths can be looked up, not hashes and versions");
        }
        return std::move(steps_);
    }

private:
    const Runnable& runnable() const { return settings_.runnable; }

    void add(std::string name, Verdict verdict, std::string detail) {
        steps_.push_back({std::move(name), verdict, std::move(detail)});
    }

    Exchange ask(const std::string& method, const std::string& url, bool with_token) {
        HttpRequest request{.method = method, .url = url};
        request.connect_timeout = settings_.connect_timeout;
        request.timeout = settings_.timeout;
        request.answer_bytes_max = 1 << 20;
        if (with_token) request.headers.push_back({"Authorization", "Bearer " + settings_.token.reveal()});
        return exchange(transport_, std::move(request));
    }

    /// The answer, or a failed step.
    std::optional<HttpResponse> answer_to(const std::string& name, const std::string& method, const std::string& url,
                                          bool with_token) {
        auto answer = ask(method, url, with_token);
        if (auto* response = std::get_if<HttpResponse>(&answer)) return std::move(*response);
        add(name, Verdict::Failed, where(url) + ": " + std::get<TransportFailure>(answer).reason);
        return std::nullopt;
    }

    static std::string status_of(const HttpResponse& response) { return "HTTP " + std::to_string(response.status); }

    bool reach() {
        const std::string name = "reachable";
        const auto url = runnable().api + "/version";
        const auto response = answer_to(name, "GET", url, false);
        if (!response) return false;
        const auto text = trim(response->body);
        if (response->status == 200 && !text.empty() && text.size() < 100 && !text.starts_with('<')) {
            add(name, Verdict::Ok, "Windmill " + std::string(text));
            return true;
        }
        const bool page = response->status == 200 && text.starts_with('<');
        add(name, Verdict::Failed,
            where(url) + (page ? " answers with a page: the part before /api is wrong"
                               : " answers " + status_of(*response) + ": this is not Windmill's /api"));
        return false;
    }

    void health() {
        const std::string name = "health";
        const auto response = answer_to(name, "GET", runnable().api + "/health/status", false);
        if (!response) return;
        if (response->status == 404) return add(name, Verdict::Skipped, "this Windmill is older than 1.632");
        if (response->status == 503)
            return add(name, Verdict::Warning, "Windmill's database is down: runs will be retried");
        const auto document = JsonDocument::parse(response->body);
        const auto state = document ? (*document)->root()["status"].string().value_or("") : std::string();
        if (state == "healthy") return add(name, Verdict::Ok, "healthy");
        if (state == "degraded") return add(name, Verdict::Warning, "degraded: no worker is alive, jobs will wait");
        add(name, Verdict::Warning, status_of(*response));
    }

    /// False where nothing that follows could say more.
    bool token() {
        const std::string name = "token";
        const auto response = answer_to(name, "GET", runnable().workspace_url() + "/users/whoami", true);
        if (!response) return false;
        if (response->status == 401) {
            add(name, Verdict::Failed,
                "the token is unknown or expired, its user is not in workspace " + runnable().workspace +
                    ", or there is no such workspace");
            return false;
        }
        if (response->status == 200) {
            add_user(name, *response);
        } else if (response->status == 403) {
            add(name, Verdict::Ok, "limited by scopes, as it should be");
        } else {
            add(name, Verdict::Warning, status_of(*response));
        }
        return true;
    }

    void add_user(const std::string& name, const HttpResponse& response) {
        const auto document = JsonDocument::parse(response.body);
        const auto user = document ? (*document)->root()["username"].string().value_or("?") : std::string("?");
        if (document && (*document)->root()["is_admin"].boolean().value_or(false))
            return add(name, Verdict::Warning, user + ", an admin: a token with less rights would do");
        add(name, Verdict::Ok, user + " in workspace " + runnable().workspace);
    }

    bool may_run() {
        const std::string name = "may run";
        const auto url = runnable().workspace_url() + "/jobs/run/" + (runnable().is_flow() ? "f" : "p") + "/u/x/x";
        const auto response = answer_to(name, "HEAD", url, true);
        if (!response) return false;
        const std::string kind = runnable().is_flow() ? "flows" : "scripts";
        if (response->status == 200) {
            add(name, Verdict::Ok, "the token may run " + kind);
            return true;
        }
        const bool rights = response->status == 401 || response->status == 403;
        add(name, Verdict::Failed,
            status_of(*response) +
                (rights ? ": the token lacks a scope such as jobs:run:" + kind + ":" + runnable().path : ""));
        return false;
    }

    std::string asset_url(const std::string& question) const {
        return runnable().workspace_url() + (runnable().is_flow() ? "/flows/" : "/scripts/") + question +
               (runnable().is_flow() ? "/" : "/p/") + runnable().path;
    }

    void exists() {
        const std::string name = "exists";
        const auto response = answer_to(name, "GET", asset_url("exists"), true);
        if (!response) return;
        if (response->status == 403) return add(name, Verdict::Skipped, "the token may not look (no read scope)");
        const auto text = trim(response->body);
        if (response->status == 200 && text == "true") return add(name, Verdict::Ok, runnable().path);
        if (response->status == 200 && text == "false") {
            return add(name, Verdict::Failed,
                       "there is no " + runnable().path + " in workspace " + runnable().workspace);
        }
        add(name, Verdict::Warning, status_of(*response));
    }

    void takes_arguments() {
        const std::string name = "arguments";
        const auto response = answer_to(name, "GET", asset_url("get"), true);
        if (!response) return;
        if (response->status != 200) return add(name, Verdict::Skipped, "cannot be read: " + status_of(*response));
        const auto document = JsonDocument::parse(response->body, {.depth_max = 512, .values_max = 1'000'000});
        if (!document) return add(name, Verdict::Skipped, "the answer cannot be read");
        const auto root = (*document)->root();
        const auto properties = root["schema"]["properties"];
        const std::string wanted = settings_.wrap == Wrap::Body ? "body" : "event";
        if (root["has_preprocessor"].boolean().value_or(false))
            return add(name, Verdict::Ok, "a preprocessor takes the request");
        if (properties[wanted].present()) return add(name, Verdict::Ok, "takes `" + wanted + "`");
        add(name, Verdict::Warning,
            "has no argument `" + wanted + "`: what is sent would be dropped. See `wrap` in docs/windmill.md");
    }

    const WindmillSettings& settings_;
    Transport& transport_;
    std::vector<TestStep> steps_;
};

}  // namespace

std::vector<TestStep> check_target(const WindmillSettings& settings, Transport& transport) {
    return Check(settings, transport).run();
}

}  // namespace orbridge::windmill
