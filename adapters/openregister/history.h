#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bridge/core/json.h"

/// An object's states, worked out from what the audit trail says of its changes. Pure.
///
/// A row names each top-level property that changed, with its old and its new value; a create names all of them, a
/// delete none (openregister.md §5.1). Some changes leave no row at all (bulk saves, restores), so a state is only
/// believed where the old or new values of the row agree with it.
namespace orbridge::openregister {

/// An object as OpenRegister writes it: its own properties, then `@self` and `id`, in received order and bytes.
class ObjectState {
public:
    ObjectState() = default;
    explicit ObjectState(const Json& object);

    std::string text() const;
    /// Sets a property to JSON text, or adds it at the end.
    void set(std::string_view raw_key, std::string_view value);
    const std::string* find(std::string_view raw_key) const;
    std::size_t size() const { return properties_.size(); }

private:
    struct Property {
        std::string raw_key, value;
    };
    std::vector<Property> properties_;
};

/// `@self.updated`; empty if it has none.
std::string updated_of(const ObjectState& state);

enum class ChangeKind {
    Create,
    Update,
    Delete,  ///< the object is still there for administrators, marked as deleted
    Touch,   ///< something changed, and the row does not say what
};

/// One row about one object. The document that `changed` belongs to must outlive it.
struct LoggedChange {
    ChangeKind kind = ChangeKind::Update;
    Json changed{};            ///< `{"prop":{"old":…,"new":…}}`
    std::string deleted_mark;  ///< Delete: what `@self.deleted` becomes, JSON text
};

/// The state after each of these changes of one object, oldest first; nothing where it cannot be told. `before`: as
/// it was known to be some time before, or nothing; `current`: as it is now or was after the last of them, or nothing.
std::vector<std::optional<ObjectState>> states_after(const std::vector<LoggedChange>& changes,
                                                     const std::optional<ObjectState>& before,
                                                     const std::optional<ObjectState>& current);

/// The same object, marked as deleted.
ObjectState marked_deleted(ObjectState state, std::string_view mark);

/// Answers of Nextcloud's APIs write angle brackets as escapes, OpenRegister's webhooks do not (JSON_HEX_TAG of
/// OCP\AppFramework\Http\JSONResponse): gives the text the webhook's bytes.
std::string as_webhooks_write(std::string_view json);

}  // namespace orbridge::openregister
