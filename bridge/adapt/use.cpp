#include "bridge/adapt/use.h"

#include <algorithm>
#include <set>

#include "bridge/core/http.h"
#include "bridge/core/text.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

constexpr const char* kAnyOwner = "global";

std::vector<std::string> names_of(const Fields& fields) {
    std::vector<std::string> names;
    names.reserve(fields.size());
    for (const auto& field : fields) names.push_back(field.name);
    return names;
}

bool is_text(const Field& field) { return field.type == Field::Type::String || field.type == Field::Type::Password; }

/// The values of fields that stand in a mapping: texts as they are and from `…_file`, all else as JSON.
std::string read_values(const ConfigNode& node, const Fields& fields) {
    JsonWriter json;
    json.object();
    for (const auto& field : fields) {
        if (is_text(field)) {
            const auto secret = node.secret(field.name, false);
            if (!secret.empty()) json.member(field.name, secret.reveal());
            continue;
        }
        const auto value = render(read_tree(node[field.name], {}), Scope());
        if (!value.empty()) json.member_raw(field.name, value);
    }
    if (node.present()) node.done();
    return json.end().text();
}

std::vector<std::string> names_of_tasks(const Adapter& adapter) {
    std::vector<std::string> names;
    names.reserve(adapter.tasks.size());
    for (const auto& [name, task] : adapter.tasks) names.push_back(name);
    return names;
}

/// With what the other lets stand; members of the second win.
Tree merged(Tree first, Tree second) {
    if (second.kind == Tree::Kind::Absent) return first;
    if (first.kind != Tree::Kind::Map || second.kind != Tree::Kind::Map) return second;
    for (auto& member : second.members) {
        const auto same = [&](const auto& each) { return each.first == member.first; };
        const auto found = std::find_if(first.members.begin(), first.members.end(), same);
        if (found == first.members.end()) {
            first.members.push_back(std::move(member));
        } else {
            found->second = std::move(member.second);
        }
    }
    return first;
}

std::string values_with_defaults(const Fields& fields, const std::string& json) {
    const auto document = JsonDocument::parse(json);
    return document ? with_defaults(fields, (*document)->root()) : json;
}

}  // namespace

Mask mask_of(const Fields& fields, const Json& values) {
    Mask mask;
    for (const auto& field : fields) {
        if (!field.secret()) continue;
        const auto value = values[field.name];
        if (value.present()) mask.add(value.string().value_or(std::string(value.raw())));
    }
    return mask;
}

// ---- what the configuration says

AdapterUse::AdapterUse(const TargetSettings& target, const std::vector<RouteSettings>& routes,
                       std::shared_ptr<const Adapter> adapter, CredentialAccess access)
    : target_(target.id), adapter_(std::move(adapter)), access_(std::move(access)) {
    const auto& node = target.node;
    base_url_ = node.url("base_url", false);
    read_credentials(node["credentials"]);
    read_owner(node["owner"]);
    config_ = read_values(node["config"], adapter_->config);
    if (const auto document = JsonDocument::parse(config_)) {
        for (const auto& fault : validate(adapter_->config, (*document)->root()))
            node["config"].complain(fault.field + ": " + fault.message);
    }
    config_ = values_with_defaults(adapter_->config, config_);
    own_ = assign(node.text("task", ""), node["task"], node["params"], std::nullopt);
    read_routes(node, routes);
    node.done();
}

Result<AdapterUse> AdapterUse::trial(std::shared_ptr<const Adapter> adapter, const Json& config) {
    const auto empty = JsonDocument::parse("{}");
    const auto given = config.present() ? config : (*empty)->root();
    if (!given.is_object()) return Error{Error::Kind::Invalid, "config: expected an object"};
    const auto faults = validate(adapter->config, given);
    if (!faults.empty()) return Error{Error::Kind::Invalid, "config: " + to_text(faults)};
    AdapterUse use;
    use.adapter_ = std::move(adapter);
    use.config_ = with_defaults(use.adapter_->config, given);
    return use;
}

void AdapterUse::read_routes(const ConfigNode& node, const std::vector<RouteSettings>& routes) {
    for (const auto& route : routes) {
        if (std::find(route.to.begin(), route.to.end(), target_) == route.to.end()) continue;
        const auto at = route.node.value_or(node);
        if (route.task.empty() && own_.task == nullptr) {
            const auto there =
                node["task"].present() ? std::string() : ", and target `" + target_.value + "` names none";
            if (!there.empty())
                at["task"].complain("missing" + there + ": one of " + join(names_of_tasks(*adapter_), ", "));
            continue;
        }
        if (route.task.empty() && !at["params"].present()) continue;
        const auto task = route.task.empty() ? own_.task->name : route.task;
        // Parameters of another task have nothing to do with this one's.
        const bool same = own_.task != nullptr && own_.task->name == task;
        by_route_[route.name] = assign(task, at["task"], same ? node["params"] : at["params"],
                                       same ? std::optional(at["params"]) : std::nullopt);
    }
}

void AdapterUse::read_credentials(const ConfigNode& node) {
    if (node.is_scalar()) {
        stored_ = node.as_text().value_or("");
        if (!is_name(stored_)) node.complain("expected the name of stored credentials, or a mapping of their values");
        if (adapter_->credentials.empty()) node.complain("adapter " + adapter_->name + " has no credentials");
        return;
    }
    const auto values = read_values(node, adapter_->credentials);
    const auto document = JsonDocument::parse(values);
    for (const auto& fault : validate(adapter_->credentials, (*document)->root()))
        node.complain(fault.field + ": " + fault.message);
    inline_ = Secret(values_with_defaults(adapter_->credentials, values));
}

void AdapterUse::read_owner(const ConfigNode& node) {
    if (!node.present()) return;
    owner_ = node.as_text().value_or("");
    if (!check_scope(owner_)) node.complain("expected `global`, `register:<id>` or `workspace:<name>`");
    if (stored_.empty()) node.complain("only stored credentials have owners: give `credentials` their name");
}

AdapterUse::Assignment AdapterUse::assign(const std::string& task, const ConfigNode& task_node, const ConfigNode& own,
                                          const std::optional<ConfigNode>& over) const {
    Assignment made;
    if (task.empty()) {
        if (own.present()) own.complain("needs a `task` that takes them");
        return made;
    }
    made.task = this->task(task);
    if (made.task == nullptr) {
        const auto names = names_of_tasks(*adapter_);
        task_node.complain("adapter " + adapter_->name + " has no task `" + task + "`" + suggestion(task, names));
        return made;
    }
    made.params = read_tree(own, event_names());
    if (over) made.params = merged(std::move(made.params), read_tree(*over, event_names()));
    check_params(*made.task, made.params, over && over->present() ? *over : own);
    return made;
}

void check_params(const Task& task, const Tree& params, const ConfigNode& node) {
    if (params.kind != Tree::Kind::Map && params.kind != Tree::Kind::Absent) {
        node.complain("expected a mapping of parameters");
        return;
    }
    std::set<std::string> given;
    for (const auto& [name, value] : params.members) {
        given.insert(name);
        if (find_field(task.params, name) == nullptr) {
            node.complain("task " + task.name + " has no parameter `" + name + "`" +
                          suggestion(name, names_of(task.params)));
        }
    }
    for (const auto& field : task.params) {
        if (field.required && field.fallback.empty() && given.count(field.name) == 0)
            node.complain("task " + task.name + " needs `" + field.name + "`");
    }
}

// ---- what a request needs

const AdapterUse::Assignment* AdapterUse::assignment(const std::string& route) const {
    const auto found = by_route_.find(route);
    const auto& assigned = found == by_route_.end() ? own_ : found->second;
    return assigned.task == nullptr ? nullptr : &assigned;
}

const Task* AdapterUse::task_on(const std::string& route) const {
    const auto* assigned = assignment(route);
    return assigned == nullptr ? nullptr : assigned->task;
}

const Task* AdapterUse::task(const std::string& name) const {
    const auto found = adapter_->tasks.find(name);
    return found == adapter_->tasks.end() ? nullptr : &found->second;
}

Result<std::string> AdapterUse::checked(const Task& task, const std::string& params) const {
    const auto document = JsonDocument::parse(params, {.depth_max = 512, .values_max = 1'000'000});
    if (!document) return Error{Error::Kind::Invalid, "params: " + document.error().message};
    if (!(*document)->root().is_object()) return Error{Error::Kind::Invalid, "params: expected an object"};
    const auto faults = validate(task.params, (*document)->root());
    if (!faults.empty()) return Error{Error::Kind::Invalid, "params: " + to_text(faults)};
    return with_defaults(task.params, (*document)->root());
}

Result<std::string> AdapterUse::event_of(const Delivery& delivery) const {
    if (!guard_) return event_json(delivery);
    auto guarded = delivery;
    if (!guarded.event.payload.empty()) {
        auto payload = guard_(guarded.event.payload, true);
        if (!payload) return payload.error();
        guarded.event.payload = *std::move(payload);
    }
    return guard_(event_json(guarded), false);
}

Result<std::string> AdapterUse::params_for(const Delivery& delivery, const std::string& route) const {
    const auto* assigned = assignment(route);
    if (assigned == nullptr)
        return Error{Error::Kind::Invalid, "no task is configured for this target on route " + route};
    Scope scope;
    const auto event = event_of(delivery);
    if (!event) return event.error();
    if (auto set = scope.set("event", *event); !set) return set.error();
    if (auto set = scope.set("delivery", delivery_json(delivery)); !set) return set.error();
    const auto params = render(assigned->params, scope);
    return checked(*assigned->task, params.empty() ? "{}" : params);
}

std::string owner_of(const std::string& subject) {
    constexpr std::string_view kObject = "object:";
    const auto slash = subject.find('/');
    if (!subject.starts_with(kObject) || slash == std::string::npos) return kAnyOwner;
    const auto owner = "register:" + subject.substr(kObject.size(), slash - kObject.size());
    return check_scope(owner) ? owner : std::string(kAnyOwner);
}

Result<AdapterUse::Ready> AdapterUse::ready() const {
    return ready_as(owner_.empty() ? std::string(kAnyOwner) : owner_);
}

Result<AdapterUse::Ready> AdapterUse::ready_for(const Delivery& delivery) const {
    return ready_as(owner_.empty() ? owner_of(delivery.event.subject) : owner_);
}

Result<AdapterUse::Ready> AdapterUse::ready_as(const std::string& owner) const {
    if (stored_.empty()) return ready_with(inline_);
    if (!access_.values) return Error{Error::Kind::Unavailable, "credentials `" + stored_ + "` are in the store"};
    auto held = access_.values({adapter_->name, stored_, owner});
    if (!held) return Error{Error::Kind::Unavailable, held.error().message};
    auto made = ready_with(Secret(values_with_defaults(adapter_->credentials, held->values.reveal())));
    if (made) made->held = std::move(*held);
    return made;
}

Result<AdapterUse::Ready> AdapterUse::ready_with(const Secret& credentials) const {
    Ready made;
    const auto& text = credentials.empty() ? std::string("{}") : credentials.reveal();
    if (auto set = made.scope.set("credentials", text); !set)
        return Error{Error::Kind::Invalid, "the credentials cannot be read"};  // its message might quote them
    if (auto set = made.scope.set("config", config_.empty() ? "{}" : config_); !set) return set.error();
    made.mask = mask_of(adapter_->credentials, made.scope.find("credentials"));
    return made;
}

Result<AdapterUse::Prepared> AdapterUse::prepare(const std::string& task, const std::string& params) const {
    const auto* found = this->task(task);
    if (found == nullptr) {
        const auto names = join(names_of_tasks(*adapter_), ", ");
        return Error{Error::Kind::Invalid,
                     "adapter " + adapter_->name + " has no task of this name: there is " + names};
    }
    auto made = ready();
    if (!made) return made.error();
    auto all = checked(*found, params);
    if (!all) return Error{all.error().kind, made->mask(all.error().message)};
    return Prepared{found, *std::move(made), *std::move(all)};
}

void AdapterUse::report(const Ready& ready, bool valid, const std::string& message) const {
    if (!ready.held || !access_.report) return;
    const auto verdict = valid ? CredentialRow::Verdict::Valid : CredentialRow::Verdict::Refused;
    if (ready.held->verdict != verdict) access_.report(*ready.held, valid, message);  // else it is no news
}

KnownNames event_names() {
    KnownNames known;
    for (const auto* name :
         {"id", "source", "class", "channel", "eventName", "subject", "timestamp", "occurredAt", "loop"})
        known.add(std::string("event.") + name);
    return known.add("event.payload", true).add("delivery.id");
}

std::string delivery_json(const Delivery& delivery) {
    JsonWriter json;
    json.object().member("id", delivery.id.value).end();
    return json.text();
}

namespace {

void write_event_head(JsonWriter& json, const Delivery& delivery) {
    const auto& event = delivery.event;
    json.object();
    if (!delivery.mark.empty()) json.member("loop", delivery.mark);
    json.member("id", event.id.value)
        .member("source", event.source.value)
        .member("class", event.event_class)
        .member("channel", event.channel)
        .member("eventName", event.event_name)
        .member("subject", event.subject)
        .member("timestamp", std::int64_t{event.occurred_at.time_since_epoch().count()})
        .member("occurredAt", to_iso8601(event.occurred_at));
}

}  // namespace

std::string event_json(const Delivery& delivery) {
    JsonWriter json;
    write_event_head(json, delivery);
    json.member_raw("payload", delivery.event.payload.empty() ? "null" : delivery.event.payload);
    return json.end().text();
}

std::string event_head_json(const Delivery& delivery) {
    JsonWriter json;
    write_event_head(json, delivery);
    return json.end().text();
}

}  // namespace orbridge
