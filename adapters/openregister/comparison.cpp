#include "adapters/openregister/comparison.h"

#include <algorithm>
#include <set>

#include "bridge/store/keys.h"

namespace orbridge::openregister {
namespace {

constexpr std::size_t kMissingAtOnce = 100;  ///< asked for by name in one URL
constexpr int kTriesMax = 3;                 ///< at one list, before the others are gone on with

std::string name_of(const Collection& collection) { return collection.register_id + "/" + collection.schema_id; }

/// Half a hash instead of the id: names may be long, and there may be a million.
std::string digest(const std::string& uuid) { return std::string(hash_key({}, uuid).view()); }

std::string uuid_of(const Json& object) {
    auto uuid = text_of(object["@self"]["id"]);
    return uuid.empty() ? text_of(object["id"]) : uuid;
}

/// Troubles of the whole source, as against those of one list.
bool concerns_all(const Trouble& trouble) {
    using Kind = Trouble::Kind;
    return trouble.kind == Kind::Credentials || trouble.kind == Kind::Busy || trouble.kind == Kind::Unreachable ||
           trouble.kind == Kind::Missing || trouble.kind == Kind::Configuration;
}

bool same_value(const Json& a, const Json& b) { return a.raw() == b.raw() || canonical_json(a) == canonical_json(b); }

bool same_self(const Json& known, const Json& listed) {
    const auto members = known.members();
    return std::all_of(members.begin(), members.end(), [&](const Json::Member& member) {
        const auto other = listed[member.key];
        return !other.present() || same_value(member.value, other);
    });
}

}  // namespace

bool same_object(const ObjectState& known, const Json& listed) {
    std::size_t shared = 0;
    const bool self_known = known.find("\"@self\"") != nullptr;  // schema hooks do not tell it
    for (const auto& member : listed.members()) {
        if (member.key == "@self" && !self_known) continue;
        const auto* value = known.find(member.raw_key);
        if (value == nullptr) {
            if (member.value.is_null()) continue;
            return false;
        }
        ++shared;
        if (*value == member.value.raw()) continue;
        const auto before = JsonDocument::parse(*value);
        if (!before) return false;
        const auto root = (*before)->root();
        const bool same = member.key == "@self" ? same_self(root, member.value) : same_value(root, member.value);
        if (!same) return false;
    }
    return shared == known.size();
}

std::optional<ToldChange> difference(const Known& known, const Collection& collection, const Json& listed) {
    if (known.live && known.state && same_object(*known.state, listed)) return std::nullopt;
    const auto self = listed["@self"];
    const auto kind = known.live ? ToldChange::Kind::Updated : ToldChange::Kind::Created;
    auto at = text_of(self[known.live ? "updated" : "created"]);
    return ToldChange{
        kind, uuid_of(listed), collection.register_id, collection.schema_id, std::string(listed.raw()), std::move(at),
        true};
}

Comparison::Comparison(ObjectReader& reader, const KnownObjects& known, Settings settings, std::string place)
    : reader_(reader), known_(known), settings_(settings), place_(std::move(place)) {}

Comparison::Step Comparison::step(const std::string& now) {
    Step step;
    if (step.trouble = open(); step.trouble) return step;
    if (collections_->empty()) {
        step.done = true;
        return step;
    }
    const auto collection = collections_->back();
    step = listed_ ? missing(collection, now) : list(collection);
    if (!step.trouble) {
        failures_ = 0;
        step.done = collections_->empty();
    } else if (!concerns_all(*step.trouble) && ++failures_ >= kTriesMax) {
        step = give_up(collection, *step.trouble);
    }
    return step;
}

/// Which lists there are, the first one last.
std::optional<Trouble> Comparison::open() {
    if (collections_) return std::nullopt;
    auto found = reader_.collections();
    if (found.trouble) return found.trouble;
    std::vector<Collection> left;
    for (auto& collection : found.all)
        if (place_.empty() || name_of(collection) > place_) left.push_back(std::move(collection));
    std::sort(left.begin(), left.end(), [](const auto& a, const auto& b) { return name_of(a) > name_of(b); });
    collections_ = std::move(left);
    return std::nullopt;
}

Comparison::Step Comparison::list(const Collection& collection) {
    Step step;
    const auto page = reader_.page(collection, offset_);
    if (step.trouble = page.trouble; step.trouble) return step;
    for (const auto& object : page.objects) {
        const auto uuid = uuid_of(object);
        if (uuid.empty()) continue;
        if (seen_.size() >= settings_.objects_max) overfull_ = true;
        if (!overfull_) seen_.insert(digest(uuid));
        const auto known = known_.of(subject_of(collection.register_id, collection.schema_id, uuid));
        auto found = difference(known, collection, object);
        if (!found) continue;
        const bool only_remember = !known.seen && !settings_.tell_unknown;
        (only_remember ? step.existing : step.changes).push_back(std::move(*found));
    }
    offset_ = page.next_offset;
    listed_ = page.last;
    if (listed_ && overfull_) {
        left_out_.push_back("Register " + collection.register_id + ", schema " + collection.schema_id +
                            " has more than `objects_max` objects: deleted ones are not noticed by comparing.");
        finish(collection);
    }
    return step;
}

/// What is known but was not listed is asked for by name: while a list is read in pages, an object may slip from one
/// page to another.
Comparison::Step Comparison::missing(const Collection& collection, const std::string& now) {
    Step step;
    const auto beginning = subject_of(collection.register_id, collection.schema_id, {});
    std::vector<std::string> absent;
    bool last = false;
    auto after = after_;
    while (absent.size() < kMissingAtOnce && !last) {
        const auto known = known_.live(beginning, after, kMissingAtOnce);
        last = known.size() < kMissingAtOnce;
        for (const auto& subject : known) {
            const auto uuid = subject.substr(beginning.size());
            if (!seen_.contains(digest(uuid))) absent.push_back(uuid);
        }
        if (!known.empty()) after = known.back();
    }
    std::set<std::string> there;
    for (std::size_t from = 0; from < absent.size(); from += kMissingAtOnce) {
        const auto to = std::min(absent.size(), from + kMissingAtOnce);
        const auto page = reader_.some(collection, {absent.begin() + static_cast<std::ptrdiff_t>(from),
                                                    absent.begin() + static_cast<std::ptrdiff_t>(to)});
        if (step.trouble = page.trouble; step.trouble) return step;
        for (const auto& object : page.objects) {
            there.insert(uuid_of(object));
            const auto known = known_.of(beginning + uuid_of(object));
            if (auto found = difference(known, collection, object)) step.changes.push_back(std::move(*found));
        }
    }
    for (const auto& uuid : absent) {
        if (there.contains(uuid)) continue;
        const auto known = known_.of(beginning + uuid);
        if (!known.live) continue;  // ended by a push meanwhile
        auto object =
            known.state ? known.state->text() : bare_object(uuid, collection.register_id, collection.schema_id);
        step.changes.push_back(
            {ToldChange::Kind::Gone, uuid, collection.register_id, collection.schema_id, std::move(object), now, true});
    }
    after_ = after;
    if (last) finish(collection);
    return step;
}

void Comparison::finish(const Collection& collection) {
    place_ = name_of(collection);
    collections_->pop_back();
    seen_.clear();
    after_.clear();
    offset_ = 0;
    listed_ = overfull_ = false;
}

Comparison::Step Comparison::give_up(const Collection& collection, const Trouble& trouble) {
    left_out_.push_back("The list of register " + collection.register_id + ", schema " + collection.schema_id +
                        " could not be compared: " + trouble.message);
    failures_ = 0;
    finish(collection);
    Step step;
    step.done = collections_->empty();
    return step;
}

}  // namespace orbridge::openregister
