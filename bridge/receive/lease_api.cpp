#include "bridge/receive/lease_api.h"

#include <algorithm>
#include <cstdio>

#include "bridge/core/json.h"
#include "bridge/core/text.h"
#include "bridge/receive/lease_fields.h"

namespace orbridge {
namespace {

constexpr std::size_t kNameCharactersMax = 256;
constexpr std::size_t kToldBytesMax = 500;
constexpr std::string_view kEveryName = ".*";
const std::string kTryAgain = "try again later: ";

Answer failure(int status, const std::string& message, Headers headers = {}) {
    JsonWriter json;
    json.object().member("success", false).member("message", message).end();
    return {.status = status, .body = std::move(json).text(), .headers = std::move(headers)};
}

std::string count(std::size_t number, const std::string& noun) {
    return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
}

std::string told(const Error& error) {
    return error.kind == Error::Kind::Unavailable ? kTryAgain + error.message : error.message;
}

/// What somebody else wrote, for a log line.
std::string cut(std::string text) {
    if (text.size() > kToldBytesMax) text.resize(kToldBytesMax);
    return text;
}

std::int64_t ms(TimePoint time) { return time.time_since_epoch().count(); }

bool is_json(const InboundRequest& request) {
    const auto* type = find_header(request.headers, "Content-Type");
    if (type == nullptr) return false;
    return equal_ignoring_case(trim(std::string_view(*type).substr(0, type->find(';'))), "application/json");
}

std::string known_action(const std::string& action) {
    if (action == "deregister") return "unregister";
    const bool known = action == "register" || action == "unregister" || action == "renew" || action == "view";
    return known ? action : std::string();
}

bool is_plain_view(const std::string& action, const InboundRequest& request) {
    return action == "view" && request.method == "GET";
}

/// Exactly one of url and hookId; faults otherwise.
LeaseSelector read_one(LeaseFields& fields) {
    LeaseSelector which{fields.text("hookId"), fields.text("url")};
    if (fields.given("hookId") == fields.given("url")) fields.complain("give either url or hookId");
    return which;
}

void check_hook(const std::optional<std::string>& hook, LeaseFields& fields) {
    if (!hook) return;
    if (count_characters(*hook) > kNameCharactersMax || has_control_characters(*hook))
        fields.complain("hookId must be 1 to 256 characters without control characters");
}

void check_with(const std::function<Status(const std::string&)>& check, const std::optional<std::string>& value,
                const std::string& name, LeaseFields& fields) {
    if (!value) return;
    if (const auto status = check(*value); !status) {
        const auto& message = status.error().message;
        fields.complain(message.starts_with(name) ? message : name + ": " + message);
    }
}

}  // namespace

/// Writes an answer from left to right: what an action has to tell, then `success` and `message`.
class LeaseApi::ReplyWriter {
public:
    ReplyWriter() { json_.object(); }
    ReplyWriter& hooks(const std::vector<std::string>& hooks) {
        json_.key("hookIds").array();
        for (const auto& hook : hooks) json_.value(hook);
        json_.end();
        return *this;
    }
    ReplyWriter& lease_end(TimePoint time) {
        json_.member("leaseEnd", ms(time));
        return *this;
    }
    JsonWriter& json() { return json_; }
    Reply end(bool success, const std::string& message) {
        json_.member("success", success).member("message", message).end();
        return {success, json_.text()};
    }

private:
    JsonWriter json_;
};

LeaseApi::LeaseApi(RulesNow rules, LeaseBook& book, const Clock& clock, Random& random, Log& log, AuditTrail& audit,
                   Counted counted)
    : rules_(std::move(rules)),
      book_(book),
      clock_(clock),
      random_(random),
      log_(log),
      audit_(audit),
      counted_(std::move(counted)) {}

Answer LeaseApi::answer(const std::string& product, const std::string& action, const InboundRequest& request) {
    Call call{product, known_action(action), {}, rules_()};
    if (auto refused = gate(call, request)) return *std::move(refused);
    const auto document = JsonDocument::parse(is_plain_view(call.action, request) ? "{}" : request.body);
    if (!document) return failure(400, "the body is not JSON: " + document.error().message);
    const auto body = (*document)->root();
    if (!body.is_object()) return failure(400, "the body is not a JSON object");
    auto reply = act(call, body);
    counted_(call.product, call.action, call.token, reply.success);
    return {.status = 200, .body = std::move(reply.body)};
}

std::optional<Answer> LeaseApi::refuse_caller(Call& call, const std::string& token) const {
    const auto& products = call.rules->products;
    const bool known = std::find(products.begin(), products.end(), call.product) != products.end();
    if (!known || call.action.empty()) return failure(404, "there is no such product or action");
    if (token.empty()) return failure(401, "apiToken is missing in the query");
    const auto name = call.rules->token_name(token);
    if (!name) return failure(401, "apiToken is not known");
    call.token = *name;
    return std::nullopt;
}

/// What can be said without the body, in the order that the specification fixes.
std::optional<Answer> LeaseApi::gate(Call& call, const InboundRequest& request) const {
    if (auto refused = refuse_caller(call, query_value(request.query, "apiToken"))) return refused;
    if (is_plain_view(call.action, request)) return std::nullopt;
    if (request.method != "POST")
        return failure(405, "use POST", {{"Allow", call.action == "view" ? "POST, GET" : "POST"}});
    if (!is_json(request)) return failure(415, "Content-Type must be application/json");
    return std::nullopt;
}

Answer LeaseApi::log_message(const std::string& product, const InboundRequest& request) {
    Call call{product, "addLogMessage", {}, rules_()};
    auto token = query_value(request.query, "apiToken");
    if (token.empty()) token = query_value(request.body, "apiToken");
    if (auto refused = refuse_caller(call, token)) return *std::move(refused);
    const auto project = query_value(request.body, "project_id");
    const auto document = JsonDocument::parse(query_value(request.body, "log_message_json"));
    const bool complete = !project.empty() && document && (*document)->root().is_object();
    counted_(call.product, call.action, call.token, complete);
    JsonWriter json;
    if (!complete) {
        json.object().key("error").object().member("code", "MISSING_REQUIRED_PARAM");
        json.member("message", "project_id and log_message_json, a JSON object, are required").end().end();
        return {.status = 200, .body = std::move(json).text()};
    }
    const auto told = (*document)->root();
    const auto text = [&](std::string_view name) { return told[name].scalar().value_or(""); };
    log_.info("subscriber.told", {{"product", product},
                                  {"token", call.token},
                                  {"project", cut(project)},
                                  {"trigger", cut(text("trigger"))},
                                  {"success", text("success")},
                                  {"detail", cut(text("message"))}});
    audit_.note(holder_of(call.token), "subscriber.told", cut(project),
                {{"trigger", cut(text("trigger"))}, {"success", text("success")}, {"message", cut(text("message"))}});
    json.object().key("result").object();
    const auto number = JsonDocument::parse(project);
    if (number && (*number)->root().integer()) {
        json.member("id", *(*number)->root().integer());
    } else {
        json.member("id", project);
    }
    json.end().end();
    return {.status = 200, .body = std::move(json).text()};
}

std::optional<Answer> LeaseApi::refused(const InboundRequest& head, int status, const std::string& why) const {
    const auto parts = split(head.path, '/');
    if (parts.size() != 4 || parts[2] != "webhookAPI") return std::nullopt;
    Call call{percent_decode(parts[1], false), known_action(std::string(parts[3])), {}, rules_()};
    if (auto earlier = gate(call, head)) return earlier;
    return failure(status, why);
}

LeaseApi::Reply LeaseApi::act(const Call& call, const Json& body) {
    if (call.action == "register") return register_hook(call, body);
    if (call.action == "unregister") return unregister(call, body);
    if (call.action == "renew") return renew(call, body);
    return view(body);
}

Subscription LeaseApi::read_registration(const Call& call, LeaseFields& fields) {
    for (const auto* name : {"url", "channel", "leaseTime"}) fields.require(name);
    const auto url = fields.text("url");
    const auto channel = fields.text("channel");
    const auto filter = fields.text("eventFilter");
    const auto hook = fields.text("hookId");
    check_hook(hook, fields);
    if (channel && count_characters(*channel) > kNameCharactersMax)
        fields.complain("channel must be 1 to 256 characters");
    check_with(call.rules->check_filter, filter, "eventFilter", fields);
    check_with(call.rules->check_url, url, "url", fields);

    Subscription made;
    made.product = call.product;
    made.token = call.token;
    made.url = url.value_or("");
    made.channel = channel.value_or("");
    made.event_filter = filter.value_or(std::string(kEveryName));
    made.hook = hook ? *hook : new_hook();
    made.secret = Secret(fields.text("secret").value_or(""));
    made.notices = fields.flag("notices");
    made.registered_at = made.leased_at = clock_.now();
    made.lease_end = made.leased_at + fields.lease_time(call.rules->lease_max).value_or(milliseconds{0});
    return made;
}

LeaseApi::Reply LeaseApi::register_hook(const Call& call, const Json& body) {
    LeaseFields fields(body);
    const auto made = read_registration(call, fields);
    const auto since = fields.since();
    if (const auto faults = fields.faults(); !faults.empty()) return ReplyWriter().end(false, faults);
    if (const auto added = book_.add(made, since); !added) return ReplyWriter().end(false, told(added.error()));
    log_.info("subscription.registered", {{"hook", made.hook},
                                          {"product", call.product},
                                          {"channel", made.channel},
                                          {"url", where(made.url)},
                                          {"token", call.token},
                                          {"lease_end", to_iso8601(made.lease_end)}});
    audit_.note(holder_of(call.token), "subscription.register", made.hook,
                {{"product", call.product},
                 {"channel", made.channel},
                 {"event_filter", made.event_filter},
                 {"url", where(made.url)},
                 {"lease_end", to_iso8601(made.lease_end)}});
    ReplyWriter reply;
    reply.json().member("hookId", made.hook);
    return reply.lease_end(made.lease_end).end(true, "Webhook registered");
}

LeaseApi::Reply LeaseApi::unregister(const Call& call, const Json& body) {
    LeaseFields fields(body);
    const auto which = read_one(fields);
    if (const auto faults = fields.faults(); !faults.empty()) return ReplyWriter().hooks({}).end(false, faults);
    const auto hooks = book_.remove(which, clock_.now());
    if (!hooks) return ReplyWriter().hooks({}).end(false, kTryAgain + hooks.error().message);
    for (const auto& hook : *hooks) {
        log_.info("subscription.unregistered", {{"hook", hook}, {"product", call.product}, {"token", call.token}});
        audit_.note(holder_of(call.token), "subscription.unregister", hook, {{"product", call.product}});
    }
    return ReplyWriter().hooks(*hooks).end(true, count(hooks->size(), "webhook") + " unregistered");
}

LeaseApi::Reply LeaseApi::renew(const Call& call, const Json& body) {
    LeaseFields fields(body);
    const auto which = read_one(fields);
    fields.require("leaseTime");
    const auto lease = fields.lease_time(call.rules->lease_max);
    if (const auto faults = fields.faults(); !faults.empty()) return ReplyWriter().hooks({}).end(false, faults);
    const auto now = clock_.now();
    const auto hooks = book_.renew(which, now, now + *lease);
    if (!hooks) return ReplyWriter().hooks({}).end(false, kTryAgain + hooks.error().message);
    if (hooks->empty()) return ReplyWriter().hooks({}).end(false, "no such active webhook: register it again");
    for (const auto& hook : *hooks) {
        log_.info("subscription.renewed", {{"hook", hook},
                                           {"product", call.product},
                                           {"token", call.token},
                                           {"lease_end", to_iso8601(now + *lease)}});
        audit_.note(holder_of(call.token), "subscription.renew", hook,
                    {{"product", call.product}, {"lease_end", to_iso8601(now + *lease)}});
    }
    return ReplyWriter().hooks(*hooks).lease_end(now + *lease).end(true, count(hooks->size(), "webhook") + " renewed");
}

LeaseApi::Reply LeaseApi::view(const Json& body) const {
    LeaseFields fields(body);
    const LeaseSelector which{fields.text("hookId"), fields.text("url")};
    if (fields.given("hookId") && fields.given("url")) fields.complain("give url or hookId, not both");
    // Without a list: an empty one would read as "nothing is registered", and clients act on that.
    if (const auto faults = fields.faults(); !faults.empty()) return ReplyWriter().end(false, faults);
    const auto found = book_.find(which, clock_.now());
    ReplyWriter reply;
    reply.json().key("webhooks").array();
    for (const auto& one : found) {
        reply.json()
            .object()
            .member("url", one.url)
            .member("channel", one.channel)
            .member("eventFilter", one.event_filter)
            .member("hookId", one.hook)
            .member("leaseEnd", ms(one.lease_end))
            .end();
    }
    reply.json().end();
    return reply.end(true, count(found.size(), "active webhook"));
}

/// A random UUID, version 4.
std::string LeaseApi::new_hook() {
    const auto a = random_.bits();
    const auto b = random_.bits();
    char text[40];
    std::snprintf(text, sizeof text, "%08llx-%04llx-4%03llx-%04llx-%012llx", static_cast<unsigned long long>(a >> 32),
                  static_cast<unsigned long long>((a >> 16) & 0xffff), static_cast<unsigned long long>(a & 0xfff),
                  static_cast<unsigned long long>(0x8000 | ((b >> 48) & 0x3fff)),
                  static_cast<unsigned long long>(b & 0xffffffffffff));
    return text;
}

}  // namespace orbridge
