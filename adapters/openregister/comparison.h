#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "adapters/openregister/log_rows.h"
#include "adapters/openregister/object_reader.h"

namespace orbridge::openregister {

/// What is known of objects from what was accepted before.
struct KnownObjects {
    std::function<Known(const std::string& subject)> of;
    /// Subjects with this beginning that are known and not deleted, sorted, behind `after`, at most `limit`.
    std::function<std::vector<std::string>(const std::string& beginning, const std::string& after, std::size_t limit)>
        live;
};

/// Whether a listed object is what was known of it. Members that only one of them shows inside `@self` do not count:
/// lists, logs and webhooks show different ones.
bool same_object(const ObjectState& known, const Json& listed);

/// A change found by comparing, or nothing: the object is as it was known.
std::optional<ToldChange> difference(const Known& known, const Collection& collection, const Json& listed);

/// Holds one list after the other against what is known, in steps of a page: what is new, what changed, and, once a
/// list was read to its end, what is missing. A list that breaks off half way tells no missing ones. One thread.
class Comparison {
public:
    struct Settings {
        std::size_t objects_max = 1'000'000;  ///< of one collection; beyond, nothing is looked for that is missing
        bool tell_unknown = true;             ///< false: objects never seen before are only to be remembered
    };
    struct Step {
        std::vector<ToldChange> changes;
        std::vector<ToldChange> existing;  ///< never seen before, and only to be remembered
        bool done = false;
        std::optional<Trouble> trouble;  ///< nothing was done; the same step may be tried again
    };

    /// Begins behind the collection `place`, as place() gave it; empty: with the first. Reader and known must
    /// outlive it.
    Comparison(ObjectReader& reader, const KnownObjects& known, Settings settings, std::string place);

    /// `now`: RFC 3339, for what nobody knows the time of.
    Step step(const std::string& now);
    /// The collection finished last; a comparison that is broken off goes on from there.
    const std::string& place() const { return place_; }
    /// Sentences about what could not be compared.
    const std::vector<std::string>& left_out() const { return left_out_; }

private:
    std::optional<Trouble> open();
    Step list(const Collection& collection);
    Step missing(const Collection& collection, const std::string& now);
    void finish(const Collection& collection);
    Step give_up(const Collection& collection, const Trouble& trouble);

    ObjectReader& reader_;
    const KnownObjects& known_;
    Settings settings_;
    std::string place_;
    std::optional<std::vector<Collection>> collections_;  ///< still to do, the next one last
    std::size_t offset_ = 0;
    bool listed_ = false;  ///< to its end
    bool overfull_ = false;
    std::string after_;  ///< subject looked for last
    std::unordered_set<std::string> seen_;
    int failures_ = 0;
    std::vector<std::string> left_out_;
};

}  // namespace orbridge::openregister
