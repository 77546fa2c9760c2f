#include "adapters/openregister/poller.h"

#include <algorithm>

#include "adapters/openregister/object_poller.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace openregister {
namespace {

constexpr std::string_view kObject = "object:";

/// The object again, out of the shape that mappings/openregister.yaml gives it: own properties, `@self`, `id`.
std::optional<ObjectState> object_of(const std::string& state) {
    const auto parsed = JsonDocument::parse(state);
    if (!parsed) return std::nullopt;
    const auto shape = (*parsed)->root();
    if (!shape["data"].is_object()) return std::nullopt;
    ObjectState object(shape["data"]);
    if (const auto self = shape["@self"]; self.is_object()) object.set("\"@self\"", self.raw());
    if (const auto uuid = shape["uuid"]; uuid.is_string()) object.set("\"id\"", uuid.raw());
    return object;
}

Known known_of(Store& store, const SourceId& source, const std::string& subject) {
    const auto snapshot = store.snapshot(source, subject);
    if (!snapshot || !*snapshot) return {};
    return {true, (*snapshot)->live, (*snapshot)->polled, object_of((*snapshot)->state), is_untold(*snapshot)};
}

KnownObjects known_objects(Store& store, const SourceId& source) {
    return {[&store, source](const std::string& subject) { return known_of(store, source, subject); },
            [&store, source](const std::string& beginning, const std::string& after, std::size_t limit) {
                auto subjects = store.live_subjects(source, beginning, after, static_cast<int>(limit));
                return subjects ? *std::move(subjects) : std::vector<std::string>{};
            }};
}

ObjectPollerSettings settings_of(const PollSettings& poll) {
    ObjectPollerSettings settings;
    settings.log = log_kind(poll.log);  // `auto`: none in particular
    settings.limits = {poll.page_rows, poll.tail_rows};
    settings.page_objects = poll.page_objects;
    settings.objects_max = poll.objects_max;
    settings.compare_every = poll.compare_every;
    return settings;
}

class OpenRegisterPoller final : public Poller {
public:
    OpenRegisterPoller(const SourceSettings& settings, const Exchanger& exchange, Store& store, const Clock& clock)
        : poller_(ApiClient(access_of(settings), exchange), settings_of(*settings.poll),
                  known_objects(store, settings.id), clock),
          tell_existing_(settings.poll->tell_existing) {}

    PollStep step(const std::string& cursor) override {
        auto read = poller_.step(cursor);
        PollStep step{{}, std::move(read.cursor), read.more, read.collapsed, std::move(read.trouble)};
        for (const auto& change : read.changes) step.found.push_back({webhook_body(change), change.current, false});
        for (const auto& change : read.existing)
            step.found.push_back({webhook_body(change), true, true, tell_existing_});
        return step;
    }
    std::string reads() const override { return poller_.log() ? to_text(*poller_.log()) : ""; }
    std::vector<std::string> cannot_tell() const override { return poller_.cannot_tell(); }

private:
    ObjectPoller poller_;
    bool tell_existing_;
};

}  // namespace
}  // namespace openregister

std::optional<std::string> openregister_existing(const UntoldSubject& object) {
    using openregister::ToldChange;
    if (!object.subject.starts_with(openregister::kObject)) return std::nullopt;
    const auto parts = split(std::string_view(object.subject).substr(openregister::kObject.size()), '/');
    if (parts.size() != 3) return std::nullopt;
    const auto state = openregister::object_of(object.snapshot.state);
    const auto parsed = JsonDocument::parse(object.snapshot.state);
    if (!state || !parsed) return std::nullopt;
    auto created = openregister::text_of((*parsed)->root()["@self"]["created"]);
    return openregister::webhook_body(ToldChange{ToldChange::Kind::Created, std::string(parts[2]),
                                                 std::string(parts[0]), std::string(parts[1]), state->text(),
                                                 std::move(created), true});
}

std::unique_ptr<Poller> make_openregister_poller(const SourceSettings& settings, const Exchanger& exchange,
                                                 Store& store, const Clock& clock) {
    return std::make_unique<openregister::OpenRegisterPoller>(settings, exchange, store, clock);
}

}  // namespace orbridge
