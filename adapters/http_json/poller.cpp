#include "adapters/http_json/poller.h"

#include <algorithm>

#include "bridge/core/json_pointer.h"
#include "bridge/core/text.h"
#include "bridge/deliver/retry_after.h"

namespace orbridge::http_json {
namespace {

constexpr std::string_view kItem = "item:";
constexpr const char* kDocument = "document";
constexpr std::size_t kPartMax = 500;  // events stored in one transaction
constexpr int kSubjectsAtOnce = 1'000;

std::string asked(const HttpRequest& request) { return request.method + " " + where(request.url); }

Trouble::Kind kind_of(int status) {
    if (status == 401) return Trouble::Kind::Credentials;
    if (status == 403) return Trouble::Kind::Rights;
    if (status == 404) return Trouble::Kind::NotFound;
    return status == 400 || status == 422 ? Trouble::Kind::Refused : Trouble::Kind::Failed;
}

std::string origin_of(const std::string& url) {
    const auto host = url.find("://");
    return host == std::string::npos ? std::string() : url.substr(0, url.find_first_of("/?#", host + 3));
}

Trouble failed(std::string message) { return {Trouble::Kind::Failed, std::move(message)}; }

Trouble from_store(const Error& error) { return {Trouble::Kind::Configuration, error.message}; }

/// The item out of the state that mappings/http.yaml keeps of it.
std::string item_of(const Snapshot& known) {
    const auto state = JsonDocument::parse(known.state);
    if (!state) return "null";
    const auto item = (*state)->root()["item"];
    return std::string(item ? item.raw() : (*state)->root().raw());
}

/// As mappings/http.yaml reads it.
std::string told(const char* event, const std::string& channel, const std::string& subject, const std::string& item) {
    const auto id = subject == kDocument ? subject : subject.substr(kItem.size());
    JsonWriter json;
    json.object().member("event", event).member("channel", channel).member("id", id);
    json.member("subject", subject).member_raw("item", item).end();
    return std::move(json).text();
}

bool same_content(const std::string& a, const std::string& b) {
    if (a == b) return true;
    const auto one = JsonDocument::parse(a);
    const auto other = JsonDocument::parse(b);
    return one && other && canonical_json((*one)->root()) == canonical_json((*other)->root());
}

/// With the timeout that is configured: the least one of 30 s is for a Nextcloud, which answers wrong credentials late.
SourceAccess access_to(const SourceSettings& source) {
    auto access = access_of(source);
    access.timeout = source.timeout;
    return access;
}

}  // namespace

Trouble trouble_of_answer(const HttpRequest& request, const HttpResponse& response, TimePoint now) {
    const auto wait = std::max(retry_after(response), until_rate_reset(response, now));
    const auto status = response.status;
    const bool limited = status == 429 || (status == 403 && wait > milliseconds{0});
    auto said = asked(request) + ": HTTP " + std::to_string(status);
    if (limited) return {Trouble::Kind::Busy, said + ": too many requests.", wait};
    if (status / 100 == 3) said += ": redirects are not followed: correct the source's url";
    if (status == 401) said += ": the credentials are refused; nothing more is tried before a reload";
    return {status == 503 ? Trouble::Kind::Busy : kind_of(status), said + ".", wait};
}

std::optional<std::string> next_link(const std::string& url, const Headers& headers) {
    for (const auto& header : headers) {
        if (!equal_ignoring_case(header.name, "link")) continue;
        const std::string_view text = header.value;
        for (auto open = text.find('<'); open != std::string_view::npos; open = text.find('<', open + 1)) {
            const auto close = text.find('>', open);
            if (close == std::string_view::npos) break;
            const auto told = to_lower(std::string(text.substr(close, text.find('<', close) - close)));
            if (told.find("rel=\"next\"") == std::string::npos && told.find("rel=next") == std::string::npos) continue;
            auto next = std::string(text.substr(open + 1, close - open - 1));
            if (next.starts_with('/') && !next.starts_with("//")) next.insert(0, origin_of(url));
            return origin_of(next) == origin_of(url) ? std::optional(next) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::string with_query(const std::string& url, std::string_view name, std::string_view value) {
    const auto mark = url.find('?');
    std::string made = url.substr(0, mark);
    const auto added = std::string(name) + "=" + percent_encode(value);
    char before = '?';
    if (mark != std::string::npos) {
        for (const auto& part : split(std::string_view(url).substr(mark + 1), '&')) {
            if (part.empty() || part.substr(0, part.find('=')) == name) continue;
            made += before + std::string(part);
            before = '&';
        }
    }
    return made + before + added;
}

JsonPoller::JsonPoller(const SourceSettings& source, JsonPollSettings settings, Exchanger exchange, Store& store,
                       const Clock& clock)
    : source_(source.id),
      url_(source.url),
      access_(access_to(source)),
      settings_(std::move(settings)),
      exchange_(std::move(exchange)),
      store_(store),
      clock_(clock),
      tell_existing_(source.poll && source.poll->tell_existing) {}

std::vector<std::string> JsonPoller::cannot_tell() const {
    return {"What changed more than once between two polls is told by its last state only.",
            "Who changed something, and when, is not known: the time told is that of the poll."};
}

PollStep JsonPoller::step(const std::string& cursor) {
    const auto known = mark_of(cursor);
    if (waiting_.empty() || known.part == 0 || cursor != expected_) {
        waiting_.clear();
        after_ = known;
        if (auto trouble = read(after_)) {
            waiting_.clear();
            return {.found = {}, .cursor = cursor, .trouble = std::move(trouble)};
        }
        after_.part = 0;
    }
    PollStep step;
    while (!waiting_.empty() && step.found.size() < kPartMax) {
        step.found.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    step.more = !waiting_.empty();
    auto mark = step.more ? known : after_;
    mark.part = step.more ? known.part + 1 : 0;
    mark.first = step.more && known.first;
    step.cursor = expected_ = text_of(mark);
    return step;
}

JsonPoller::Mark JsonPoller::mark_of(const std::string& cursor) {
    const auto parsed = JsonDocument::parse(cursor);
    if (!parsed) return {};
    const auto root = (*parsed)->root();
    return {root["etag"].string().value_or(""), root["last_modified"].string().value_or(""),
            root["first"].boolean().value_or(true), root["part"].integer().value_or(0)};
}

std::string JsonPoller::text_of(const Mark& mark) {
    JsonWriter json;
    json.object().member("etag", mark.etag).member("last_modified", mark.last_modified);
    json.member("first", mark.first).member("part", mark.part).end();
    return std::move(json).text();
}

/// Fills what waits with all that differs from what is known.
std::optional<Trouble> JsonPoller::read(Mark& mark) {
    Items items;
    bool unchanged = false;
    const bool first = mark.first;
    if (mark.part > 0) mark.etag = mark.last_modified = "";  // a reading that was broken off is made whole again
    if (auto trouble = read_pages(items, mark, unchanged)) return trouble;
    if (unchanged) return std::nullopt;
    if (auto trouble = find_changed(items, first)) return trouble;
    return find_gone(items);
}

JsonPoller::Page JsonPoller::ask(const std::string& url, const Mark& known) const {
    HttpRequest request{.method = "GET", .url = url};
    request.headers = {{"Accept", "application/json"}, {"User-Agent", "orbridge/" ORBRIDGE_VERSION}};
    for (const auto& own : settings_.headers) {
        std::erase_if(request.headers, [&](const Header& usual) { return equal_ignoring_case(usual.name, own.name); });
        request.headers.push_back(own);
    }
    if (!access_.bearer.empty()) request.headers.push_back({"Authorization", "Bearer " + access_.bearer.reveal()});
    if (!access_.user.empty()) {
        const auto login = to_base64(access_.user + ":" + access_.password.reveal());
        request.headers.push_back({"Authorization", "Basic " + login});
    }
    if (!known.etag.empty()) request.headers.push_back({"If-None-Match", known.etag});
    if (!known.last_modified.empty()) request.headers.push_back({"If-Modified-Since", known.last_modified});
    request.timeout = access_.timeout;
    request.answer_bytes_max = access_.answer_bytes_max;
    const auto exchange = exchange_(request);
    if (const auto* failure = std::get_if<TransportFailure>(&exchange))
        return {.document = nullptr, .headers = {}, .trouble = trouble_of(request, *failure)};
    const auto& response = std::get<HttpResponse>(exchange);
    if (response.status == 304) return {.document = nullptr, .headers = {}, .unchanged = true};
    if (response.status / 100 != 2)
        return {.document = nullptr, .headers = {}, .trouble = trouble_of_answer(request, response, clock_.now())};
    auto parsed = JsonDocument::parse(response.body);
    if (parsed) return {.document = *parsed, .headers = response.headers};
    const auto why = response.body_cut ? "larger than `answer_bytes_max`." : "not JSON.";
    return {.document = nullptr, .headers = {}, .trouble = failed("The answer of " + asked(request) + " is " + why)};
}

std::string JsonPoller::first_url() const {
    const auto size = std::to_string(settings_.page_size);
    auto url = settings_.size_param.empty() ? url_ : with_query(url_, settings_.size_param, size);
    if (settings_.paging == Paging::Page) return with_query(url, settings_.page_param, "1");
    return settings_.paging == Paging::Offset ? with_query(url, settings_.page_param, "0") : url;
}

/// Nothing: that was the last page.
std::optional<std::string> JsonPoller::url_after(const std::string& url, const Page& page, std::size_t read, int pages,
                                                 std::size_t total) const {
    const bool full = read >= settings_.page_size;
    switch (settings_.paging) {
        case Paging::None: return std::nullopt;
        case Paging::Page:
            if (!full) return std::nullopt;
            return with_query(url, settings_.page_param, std::to_string(pages + 1));
        case Paging::Offset:
            if (!full) return std::nullopt;
            return with_query(url, settings_.page_param, std::to_string(total));
        case Paging::Cursor: {
            const auto next = follow(page.document->root(), settings_.next).scalar().value_or("");
            if (next.empty()) return std::nullopt;
            return with_query(url, settings_.page_param, next);
        }
        case Paging::Link: return next_link(url, page.headers);
    }
    return std::nullopt;
}

/// Only what fits into one answer can be asked for by its mark: of several pages another may have changed.
std::optional<Trouble> JsonPoller::read_pages(Items& items, Mark& mark, bool& unchanged) const {
    const bool one = settings_.paging == Paging::None;
    std::size_t total = 0;
    std::optional<std::string> url = first_url();
    for (int pages = 1; url; ++pages) {
        if (pages > settings_.pages_max)
            return failed("The list has more pages than `pages_max`, or no end: nothing of it is told.");
        const auto page = ask(*url, one ? mark : Mark{});
        if (page.trouble) return page.trouble;
        unchanged = page.unchanged;
        if (unchanged) return std::nullopt;
        std::size_t read = 0;
        if (auto trouble = add_page(page.document->root(), items, read)) return trouble;
        total += read;
        const auto* etag = find_header(page.headers, "ETag");
        const auto* modified = find_header(page.headers, "Last-Modified");
        mark.etag = one && etag != nullptr ? *etag : "";
        mark.last_modified = one && modified != nullptr ? *modified : "";
        url = url_after(*url, page, read, pages, total);
    }
    return std::nullopt;
}

std::optional<Trouble> JsonPoller::add_page(const Json& root, Items& items, std::size_t& read) const {
    if (!root.path("@self.ignoredFilters").empty()) {
        return failed(
            "The source ignores a filter that the url names (`@self.ignoredFilters`): what it lists is wrong.");
    }
    const auto found = follow(root, settings_.items);
    if (!settings_.id) {
        if (!found.is_object()) return failed("There is no JSON object at `items`, the document to poll.");
        items[kDocument] = found.raw();
        return std::nullopt;
    }
    if (!found.is_array()) return failed("There is no list at `items`.");
    for (const auto& member : found.members()) {
        const auto id = follow(member.value, *settings_.id).scalar();
        if (!member.value.is_object() || !id || id->empty())
            return failed("An item is no JSON object, or has nothing at `id`.");
        items[std::string(kItem) + *id] = member.value.raw();
        ++read;
        if (items.size() > settings_.items_max)
            return failed("The list has more items than `items_max`: nothing of it is told.");
    }
    return std::nullopt;
}

std::optional<Trouble> JsonPoller::find_changed(const Items& items, bool first) {
    for (const auto& [subject, item] : items) {
        const auto known = store_.snapshot(source_, subject);
        if (!known) return from_store(known.error());
        const bool live = *known && (*known)->live;
        if (!live) {
            tell("created", subject, item, first && !*known);
        } else if (!same_content(item_of(**known), item)) {
            tell("updated", subject, item, false);
        }
    }
    return std::nullopt;
}

std::optional<Trouble> JsonPoller::find_gone(const Items& items) {
    if (!settings_.id) return std::nullopt;
    for (std::string after;;) {
        const auto subjects = store_.live_subjects(source_, std::string(kItem), after, kSubjectsAtOnce);
        if (!subjects) return from_store(subjects.error());
        if (subjects->empty()) return std::nullopt;
        after = subjects->back();
        for (const auto& subject : *subjects) {
            if (items.contains(subject)) continue;
            const auto known = store_.snapshot(source_, subject);
            if (!known) return from_store(known.error());
            if (*known && (*known)->live) tell("deleted", subject, item_of(**known), false);
        }
    }
}

void JsonPoller::tell(const char* event, const std::string& subject, const std::string& item, bool existing) {
    waiting_.push_back({told(event, settings_.channel, subject, item), true, existing, existing && tell_existing_});
}

std::optional<std::string> existing_item(const UntoldSubject& item, const std::string& channel) {
    if (item.subject != kDocument && !item.subject.starts_with(kItem)) return std::nullopt;
    const auto content = item_of(item.snapshot);
    if (content == "null") return std::nullopt;
    return told("created", channel, item.subject, content);
}

}  // namespace orbridge::http_json
