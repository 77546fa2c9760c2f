#include "adapters/http/exchange.h"

#include <algorithm>

#include "adapters/http/sigv4.h"
#include "bridge/core/text.h"
#include "bridge/settings/values.h"

namespace orbridge::http_tasks {
namespace {

constexpr std::size_t kExcerptMax = 200;

Error wrong(std::string message) { return {Error::Kind::Invalid, std::move(message)}; }

bool holds(const std::string& when, const Scope& scope) {
    if (when.empty()) return true;
    const auto value = scope.find(when);
    return value.present() && !value.is_null() && value.string() != std::string();
}

Result<std::string> pairs_of(const std::vector<std::pair<std::string, ValueTemplate>>& pairs, const Scope& scope) {
    std::string text;
    for (const auto& [name, value] : pairs) {
        if (value.json(scope).empty()) continue;  // one variable, and it is absent
        const auto rendered = value.text(scope, Encoding::Query);
        if (!rendered) return rendered.error();
        text += (text.empty() ? "" : "&") + percent_encode(name) + '=' + *rendered;
    }
    return text;
}

Result<std::string> address(const ExchangeSpec& spec, const Writing& writing, const Scope& scope) {
    std::string url;
    if (spec.path.paths().empty() && spec.path.json(scope) == "\"\"") {
        const auto whole = spec.url.text(scope, Encoding::None);
        if (!whole) return whole.error();
        url = *whole;
    } else {
        const auto base = writing.adapter.base_url.text(scope, Encoding::None);
        if (!base) return base.error();
        url = writing.base_url.empty() ? *base : writing.base_url;
        while (url.ends_with('/')) url.pop_back();
        const auto path = spec.path.text(scope, Encoding::Path);
        if (!path) return path.error();
        url += *path;
    }
    // Whoever shows it masks it.
    if (url_fault(url)) return wrong("`" + on_one_line(url) + "` is no http or https URL");
    const auto query = pairs_of(spec.query, scope);
    if (!query) return query.error();
    if (!query->empty()) url += (url.find('?') == std::string::npos ? '?' : '&') + *query;
    return url;
}

Status add_headers(const std::vector<std::pair<std::string, ValueTemplate>>& from, const Scope& scope,
                   Headers& headers) {
    for (const auto& [name, value] : from) {
        const auto text = value.text(scope, Encoding::Header);
        if (!text) return text.error();
        std::erase_if(headers, [&, &name = name](const Header& each) { return equal_ignoring_case(each.name, name); });
        if (!text->empty()) headers.push_back({name, *text});
    }
    return Ok{};
}

Status add_body(const ExchangeSpec& spec, const Scope& scope, HttpRequest& request) {
    std::string type = spec.content_type;
    if (spec.json.kind != Tree::Kind::Absent) {
        request.body = render(spec.json, scope);
        if (request.body.empty()) request.body = "null";
        if (type.empty()) type = "application/json";
    } else if (!spec.form.empty()) {
        auto form = pairs_of(spec.form, scope);
        if (!form) return form.error();
        request.body = std::move(*form);
        if (type.empty()) type = "application/x-www-form-urlencoded";
    } else if (!type.empty()) {
        auto text = spec.text.text(scope, Encoding::None);
        if (!text) return text.error();
        request.body = std::move(*text);
    }
    if (!type.empty()) request.headers.push_back({"Content-Type", type});
    return Ok{};
}

Status add_auth(const AuthSpec& auth, const Writing& writing, const Scope& scope, HttpRequest& request, Mask& mask) {
    if (!holds(auth.when, scope)) return Ok{};
    const auto text = [&](const ValueTemplate& from) {
        auto made = from.text(scope, Encoding::Header);
        return made ? *made : std::string();  // nothing can be wrong in a header: control characters are gone
    };
    switch (auth.how) {
        case AuthSpec::How::None: break;
        case AuthSpec::How::Bearer: request.headers.push_back({"Authorization", "Bearer " + text(auth.bearer)}); break;
        case AuthSpec::How::Basic: {
            const auto both = text(auth.user) + ':' + text(auth.password);
            mask.add(both);
            request.headers.push_back({"Authorization", "Basic " + to_base64(both)});
            break;
        }
        case AuthSpec::How::ByHeaders: return add_headers(auth.headers, scope, request.headers);
        case AuthSpec::How::AwsSigV4:
            sign_aws(request,
                     {text(auth.access_key), Secret(text(auth.secret_key)), text(auth.region), text(auth.service)},
                     writing.now);
            break;
    }
    return Ok{};
}

bool one_of(const std::vector<std::string>& values, const std::string& value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

bool matches(const AnswerMatch& match, const HttpResponse& response, const Json& body) {
    if (!match.status.empty() &&
        std::find(match.status.begin(), match.status.end(), response.status) == match.status.end())
        return false;
    if (!match.text.empty() && !one_of(match.text, std::string(trim(response.body)))) return false;
    if (match.like && !match.like->matches(trim(response.body))) return false;
    for (const auto& [path, values] : match.json) {
        const auto value = body.path(path).scalar();
        if (!value || !one_of(values, *value)) return false;
    }
    return std::all_of(match.headers.begin(), match.headers.end(), [&](const auto& wanted) {
        const auto* value = find_header(response.headers, wanted.first);
        return value != nullptr && *value == wanted.second;
    });
}

AnswerClass class_of(int status) {
    if (status == 401) return AnswerClass::Unauthorized;
    if (status == 429) return AnswerClass::RateLimited;
    if (status == 408 || status == 425 || status / 100 == 5) return AnswerClass::Trouble;
    return status / 100 == 2 ? AnswerClass::Trouble : AnswerClass::Rejected;  // 2xx, and not what was expected
}

std::string response_json(const HttpResponse& response) {
    const auto document = JsonDocument::parse(response.body, {.depth_max = 128, .values_max = 500'000});
    JsonWriter json;
    json.object().member("status", response.status).member("text", response.body);
    json.key("body");
    if (document && !response.body_cut) {
        json.raw((*document)->text());
    } else {
        json.value(response.body);
    }
    json.key("headers").object();
    Headers seen;
    for (const auto& header : response.headers) {
        const auto name = to_lower(header.name);
        if (find_header(seen, name) != nullptr) continue;
        seen.push_back({name, {}});
        json.member(name, header.value);
    }
    return json.end().end().text();
}

/// What is no JSON was set as a text. An empty answer is not wrong.
bool is_no_json(const HttpResponse& response, const Json& body) {
    return !trim(response.body).empty() && body.string() == response.body;
}

std::string failure_of(const ExchangeSpec& spec, const HttpResponse& response, const Scope& scope, const Mask& mask) {
    std::string text = "HTTP " + std::to_string(response.status);
    const auto said = spec.error.text(scope, Encoding::None);
    auto detail = std::string(trim(said ? on_one_line(*said) : std::string()));
    if (detail.empty()) detail = std::string(trim(on_one_line(response.body)));
    detail = mask(std::move(detail));
    if (detail.size() > kExcerptMax) {
        auto end = kExcerptMax;  // not within a character
        while (end > 0 && (static_cast<unsigned char>(detail[end]) & 0xC0) == 0x80) --end;
        detail = detail.substr(0, end) + "…";
    }
    return detail.empty() ? text : text + ": " + detail;
}

std::string success_of(const ValueTemplate& message, const HttpResponse& response, const Scope& scope) {
    const auto rendered = message.text(scope, Encoding::None);
    auto said = rendered ? on_one_line(*rendered) : std::string();
    return said.empty() ? "HTTP " + std::to_string(response.status) : said;
}

}  // namespace

const ExchangeSpec* choose(const std::vector<ExchangeSpec>& either, const Scope& scope) {
    const auto found =
        std::find_if(either.begin(), either.end(), [&](const auto& spec) { return holds(spec.when, scope); });
    return found == either.end() ? nullptr : &*found;
}

Result<HttpRequest> write_request(const ExchangeSpec& spec, const Writing& writing, const Scope& scope, Mask& mask) {
    HttpRequest request;
    request.method = spec.method;
    request.connect_timeout = std::min(writing.connect_timeout, writing.timeout);
    request.timeout = writing.timeout;
    request.answer_bytes_max = writing.answer_bytes_max;
    auto url = address(spec, writing, scope);
    if (!url) return url.error();
    request.url = std::move(*url);
    if (auto added = add_body(spec, scope, request); !added) return added.error();
    if (auto added = add_headers(writing.adapter.headers, scope, request.headers); !added) return added.error();
    if (auto added = add_headers(spec.headers, scope, request.headers); !added) return added.error();
    if (auto added = add_auth(writing.adapter.auth, writing, scope, request, mask); !added) return added.error();
    return request;
}

Reading read_answer(const ExchangeSpec& spec, const HttpResponse& response, Scope& scope, const Mask& mask) {
    if (!scope.set("response", response_json(response)))
        return {AnswerClass::Trouble, "HTTP " + std::to_string(response.status) + ": the answer cannot be read"};
    const auto body = scope.find("response.body");
    for (const auto& rule : spec.classes) {
        if (!matches(rule.match, response, body)) continue;
        if (rule.is != AnswerClass::Delivered) return {rule.is, failure_of(spec, response, scope, mask)};
        return {AnswerClass::Delivered, success_of(rule.message, response, scope)};
    }
    const bool status_fits = !spec.expect.status.empty() || response.status / 100 == 2;
    if (!status_fits || !matches(spec.expect, response, body)) {
        const bool other_2xx = response.status / 100 == 2;
        // Answered, and refused in the body: the services that do so say what is wrong with the request.
        const auto& expect = spec.expect;
        const bool refused = other_2xx && (!expect.text.empty() || !expect.json.empty() || expect.like);
        return {refused ? AnswerClass::Rejected : class_of(response.status), failure_of(spec, response, scope, mask)};
    }
    if (response.body_cut)
        return {AnswerClass::Rejected, "the answer is larger than `answer_bytes_max`, and may not be what it seems"};
    // Not from whom it should be: a proxy, or a page for people.
    if (spec.reads_json && is_no_json(response, body))
        return {AnswerClass::Rejected, failure_of(spec, response, scope, mask) + " (no JSON)"};
    return {AnswerClass::Delivered, success_of(spec.message, response, scope), render(spec.data, scope)};
}

}  // namespace orbridge::http_tasks
