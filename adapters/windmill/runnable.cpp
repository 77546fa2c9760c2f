#include "adapters/windmill/runnable.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "bridge/core/http.h"
#include "bridge/core/text.h"

namespace orbridge::windmill {
namespace {

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

bool is_word(std::string_view text, std::string_view also) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || also.find(static_cast<char>(c)) != std::string_view::npos;
    });
}

/// `u/user/name`, `f/folder/name`, `g/…` with more parts if wanted, or `hub/…`.
bool is_path(std::string_view path) {
    const auto parts = split(path, '/');
    const bool known = parts[0] == "u" || parts[0] == "f" || parts[0] == "g" || parts[0] == "hub";
    return known && parts.size() >= 3 &&
           std::all_of(parts.begin(), parts.end(), [](std::string_view part) { return is_word(part, "-"); });
}

bool is_hash(std::string_view text) {
    return text.size() == 16 &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool is_number(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

Status check_path(const Runnable& runnable) {
    if (runnable.by_path() && !is_path(runnable.path))
        return wrong("the path must look like f/<folder>/<name> or u/<user>/<name>");
    if (runnable.kind == "h" && !is_hash(runnable.path)) return wrong("a script hash has 16 hex digits");
    if (runnable.kind == "fv" && !is_number(runnable.path)) return wrong("a flow version is a number");
    return Ok{};
}

Status check_query(std::string_view query) {
    if (query.empty()) return Ok{};
    for (const auto part : split(query, '&')) {
        const auto name = percent_decode(part.substr(0, part.find('=')), true);
        if (name == "token") return wrong("the token belongs in `token` or `token_file`: URLs end up in logs");
        if (name == "job_id") return wrong("job_id is set for each delivery");
        if (name == "wrap_body" || name == "raw") return wrong(name + " is not for the URL: use `wrap`");
        if (name == "payload") return wrong("the payload is sent as the body");
    }
    return Ok{};
}

Status check_server(std::string_view url) {
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) return wrong("must begin with http:// or https://");
    const auto authority = url.substr(scheme_end + 3, url.find_first_of("/?#", scheme_end + 3) - scheme_end - 3);
    if (authority.find('@') != std::string_view::npos)
        return wrong("must not hold a user or password: use `token` or `token_file`");
    if (url.find('#') != std::string_view::npos) return wrong("must not have a fragment (#…)");
    return Ok{};
}

Status check(const Runnable& runnable) {
    if (!is_word(runnable.workspace, "-")) return wrong("the workspace id holds letters, digits, _ and - only");
    if (auto status = check_path(runnable); !status) return status;
    return check_query(runnable.query);
}

/// `jobs/run/p/f/folder/name` → kind and path.
Status read_run(std::string_view rest, Runnable& runnable) {
    if (rest.starts_with("jobs/run_wait_result/")) {
        return wrong(
            "run_wait_result is not for delivery: Windmill cancels the job when the wait ends, and its status is "
            "the script's, not the delivery's. Use jobs/run/ and, for the result, `follow: true`");
    }
    if (rest.starts_with("jobs/run_and_stream/")) return wrong("run_and_stream is not for delivery: use jobs/run/");
    constexpr std::string_view kRun = "jobs/run/";
    if (!rest.starts_with(kRun)) return wrong("after the workspace there must follow jobs/run/p/… or jobs/run/f/…");
    rest.remove_prefix(kRun.size());
    runnable.kind = rest.substr(0, rest.find('/'));
    if (runnable.kind != "p" && runnable.kind != "f" && runnable.kind != "h" && runnable.kind != "fv")
        return wrong("after jobs/run/ there must follow p, f, h or fv");
    runnable.path = rest.size() > runnable.kind.size() ? rest.substr(runnable.kind.size() + 1) : std::string_view();
    return Ok{};
}

}  // namespace

Result<Runnable> parse_run_url(std::string_view url) {
    if (auto status = check_server(url); !status) return status.error();
    Runnable runnable;
    const auto question = url.find('?');
    if (question != std::string_view::npos) runnable.query = url.substr(question + 1);
    url = url.substr(0, question);
    constexpr std::string_view kWorkspaces = "/api/w/";
    const auto at = url.rfind(kWorkspaces);
    if (at == std::string_view::npos)
        return wrong("must be a run URL: https://<host>/api/w/<workspace>/jobs/run/p/<path of the script>");
    runnable.api = url.substr(0, at + 4);
    auto rest = url.substr(at + kWorkspaces.size());
    runnable.workspace = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), runnable.workspace.size() + 1));
    if (auto status = read_run(rest, runnable); !status) return status.error();
    if (auto status = check(runnable); !status) return status.error();
    return runnable;
}

Result<Runnable> runnable_of(std::string_view url, std::string workspace, std::string kind, std::string path) {
    if (auto status = check_server(url); !status) return status.error();
    if (url.find("/api/w/") != std::string_view::npos || url.find('?') != std::string_view::npos)
        return wrong("with `workspace` and `script` or `flow`, `url` is the server's address only");
    while (url.ends_with('/')) url.remove_suffix(1);
    Runnable runnable;
    runnable.api = std::string(url) + (url.ends_with("/api") ? "" : "/api");
    runnable.workspace = std::move(workspace);
    runnable.kind = std::move(kind);
    runnable.path = std::move(path);
    if (auto status = check(runnable); !status) return status.error();
    return runnable;
}

}  // namespace orbridge::windmill
