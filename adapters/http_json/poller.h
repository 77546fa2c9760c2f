#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/http_json/settings.h"
#include "bridge/core/json.h"
#include "bridge/poll/poller.h"
#include "bridge/run/source_client.h"
#include "bridge/store/store.h"

namespace orbridge::http_json {

/// What an answer that is not 2xx means for polling, `x-ratelimit-reset` of an exhausted limit included.
Trouble trouble_of_answer(const HttpRequest& request, const HttpResponse& response, TimePoint now);

/// The `rel="next"` of a Link header, made absolute. Nothing: there is none, or it leads to another origin, where the
/// credentials must not go.
std::optional<std::string> next_link(const std::string& asked, const Headers& headers);

/// `url` with `name=value` in its query, in place of one that is there.
std::string with_query(const std::string& url, std::string_view name, std::string_view value);

/// What polling would have told of the creation of an item that is there. Nothing: its state says too little.
std::optional<std::string> existing_item(const UntoldSubject& item, const std::string& channel);

/// Reads a list or a document whole in each step, all pages of it, and compares it with the snapshots: what is new,
/// changed or gone is told as `{"event", "channel", "id", "subject", "item"}`, which mappings/http.yaml reads. A list
/// that was not read to its end tells nothing. The store and the clock must outlive it.
class JsonPoller final : public Poller {
public:
    JsonPoller(const SourceSettings& source, JsonPollSettings settings, Exchanger exchange, Store& store,
               const Clock& clock);

    PollStep step(const std::string& cursor) override;
    std::string reads() const override { return settings_.id ? "list" : "document"; }
    std::vector<std::string> cannot_tell() const override;

private:
    struct Page {
        JsonPtr document;
        Headers headers;
        bool unchanged = false;  ///< 304
        std::optional<Trouble> trouble{};
    };
    using Items = std::map<std::string, std::string>;  ///< subject → JSON
    /// What the cursor says.
    struct Mark {
        std::string etag, last_modified;
        bool first = true;      ///< nothing was read to its end so far
        std::int64_t part = 0;  ///< of what one reading found; 0: to be read
    };

    static Mark mark_of(const std::string& cursor);
    static std::string text_of(const Mark& mark);
    std::optional<Trouble> read(Mark& mark);
    Page ask(const std::string& url, const Mark& known) const;
    std::optional<Trouble> read_pages(Items& items, Mark& mark, bool& unchanged) const;
    std::optional<Trouble> add_page(const Json& root, Items& items, std::size_t& read) const;
    std::string first_url() const;
    std::optional<std::string> url_after(const std::string& url, const Page& page, std::size_t read, int pages,
                                         std::size_t total) const;
    std::optional<Trouble> find_changed(const Items& items, bool first);
    std::optional<Trouble> find_gone(const Items& items);
    void tell(const char* event, const std::string& subject, const std::string& item, bool existing);

    SourceId source_;
    std::string url_;
    SourceAccess access_;
    JsonPollSettings settings_;
    Exchanger exchange_;
    Store& store_;
    const Clock& clock_;
    const bool tell_existing_;
    std::deque<Observed> waiting_;  ///< found, and not handed out yet
    std::string expected_;          ///< the cursor that goes on with them
    Mark after_;                    ///< where they end
};

}  // namespace orbridge::http_json
