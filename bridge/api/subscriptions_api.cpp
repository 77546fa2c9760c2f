#include "bridge/api/subscriptions_api.h"

#include "bridge/api/bodies.h"
#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/receive/error_answer.h"
#include "bridge/receive/lease_fields.h"
#include "bridge/settings/settings.h"

namespace orbridge {
namespace {

std::optional<std::string> asked(const InboundRequest& request, const char* name) {
    auto value = query_value(request.query, name);
    return value.empty() ? std::nullopt : std::optional(std::move(value));
}

/// Names of sources; none if it is not there.
Result<std::vector<std::string>> read_sources(const Json& node) {
    std::vector<std::string> sources;
    const Error wrong{Error::Kind::Invalid, "reads: expected a list of names of sources that is not empty"};
    if (!node.present()) return sources;
    if (!node.is_array() || node.empty()) return wrong;
    for (const auto& member : node.members()) {
        sources.push_back(member.value.string().value_or(""));
        if (!is_name(sources.back())) return wrong;
    }
    return sources;
}

/// One of hook and url, of which an answer to a missing one speaks.
Result<LeaseSelector> selector_of(const Json& body) {
    const LeaseSelector which{body["hook"].string(), body["url"].string()};
    if (which.hook.has_value() == which.url.has_value())
        return Error{Error::Kind::Invalid, "name either a hook or a url"};
    return which;
}

void write_subscription(JsonWriter& json, const Subscription& one) {
    json.object().member("hook", one.hook).member("product", one.product).member("url", one.url);
    json.member("channel", one.channel).member("event_filter", one.event_filter).member("token", one.token);
    json.member("signed", !one.secret.empty()).member("notices", one.notices).member("gone", one.gone);
    json.member("registered_at", to_iso8601(one.registered_at)).member("lease_end", to_iso8601(one.lease_end));
    json.member("target", target_of_hook(one.hook).value).end();
}

Answer hooks_answer(const char* name, const std::vector<std::string>& hooks) {
    JsonWriter json;
    json.object().key(name).array();
    for (const auto& hook : hooks) json.value(hook);
    json.end().end();
    return ok(json);
}

}  // namespace

Answer SubscriptionsApi::list(const InboundRequest& request) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto channel = asked(request, "channel");
    JsonWriter json;
    json.object().key("subscriptions").array();
    for (const auto& one : parts_.book.find({asked(request, "hook"), asked(request, "url")}, parts_.clock.now()))
        if (!channel || *channel == one.channel) write_subscription(json, one);
    json.end().end();
    return ok(json);
}

Answer SubscriptionsApi::remove(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_of(request.body);
    if (!body) return error_answer(body.error());
    const auto which = selector_of((*body)->root());
    if (!which) return error_answer(which.error());
    const auto hooks = parts_.book.remove(*which, parts_.clock.now());
    if (!hooks) return error_answer(hooks.error());
    if (hooks->empty()) return error_answer(404, "not_found", "no active subscription of this hook or url");
    for (const auto& hook : *hooks) {
        parts_.log.info("admin.subscription_removed", {{"hook", hook}});
        parts_.audit.note(kAdmin, "subscription.unregister", hook);
    }
    return hooks_answer("removed", *hooks);
}

Answer SubscriptionsApi::extend(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_of(request.body);
    if (!body) return error_answer(body.error());
    const auto which = selector_of((*body)->root());
    if (!which) return error_answer(which.error());
    LeaseFields fields((*body)->root());
    fields.require("leaseTime");
    const auto lease = fields.lease_time(parts_.lease_max());
    if (const auto faults = fields.faults(); !faults.empty()) return error_answer(400, "invalid", faults, "leaseTime");
    const auto now = parts_.clock.now();
    const auto hooks = parts_.book.renew(*which, now, now + *lease);
    if (!hooks) return error_answer(hooks.error());
    if (hooks->empty()) return error_answer(404, "not_found", "no active subscription of this hook or url");
    const auto end = to_iso8601(now + *lease);
    for (const auto& hook : *hooks) {
        parts_.log.info("admin.subscription_extended", {{"hook", hook}, {"lease_end", end}});
        parts_.audit.note(kAdmin, "subscription.renew", hook, {{"lease_end", end}});
    }
    return hooks_answer("extended", *hooks);
}

Answer SubscriptionsApi::tokens(const InboundRequest& request) const {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    JsonWriter json;
    json.object().key("tokens").array();
    for (const auto& row : parts_.tokens.rows()) {
        json.object().member("name", row.name).member("configured", row.configured);
        if (!row.reads.empty()) {
            json.key("reads").array();
            for (const auto& source : row.reads) json.value(source);
            json.end();
        }
        if (row.created_at) json.member("created_at", to_iso8601(*row.created_at));
        json.end();
    }
    json.end().end();
    return ok(json);
}

Answer SubscriptionsApi::create_token(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_of(request.body);
    if (!body) return error_answer(body.error());
    const auto name = (*body)->root()["name"].string().value_or("");
    auto reads = read_sources((*body)->root()["reads"]);
    if (!reads) return error_answer(400, "invalid", reads.error().message, "reads");
    const auto said = join(*reads, ",");
    const auto value = parts_.tokens.create(name, parts_.random, parts_.clock.now(), *std::move(reads));
    if (!value) return error_answer(value.error());
    parts_.log.info("admin.token_created", {{"token", name}, {"reads", said}});
    parts_.audit.note(kAdmin, "token.create", name, {{"reads", said}});
    JsonWriter json;
    json.object().member("name", name).member("token", value->reveal()).end();
    return ok(json);
}

Answer SubscriptionsApi::remove_token(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto body = object_of(request.body);
    if (!body) return error_answer(body.error());
    const auto name = (*body)->root()["name"].string().value_or("");
    if (const auto removed = parts_.tokens.remove(name); !removed) return error_answer(removed.error());
    parts_.log.info("admin.token_removed", {{"token", name}});
    parts_.audit.note(kAdmin, "token.remove", name);
    JsonWriter json;
    json.object().member("removed", name).end();
    return ok(json);
}

}  // namespace orbridge
