#include <map>
#include <set>

#include "bridge/core/text.h"
#include "bridge/settings/settings.h"
#include "bridge/settings/values.h"
#include "bridge/settings/yaml_tree.h"

namespace orbridge {
namespace {

/// One setting as text; of a secret only its digest, which is compared and never shown.
struct Fact {
    std::string text;
    bool hidden = false;
};
using Facts = std::map<std::string, Fact>;
/// By what they belong to: `targets.x`; the empty name for the settings that are always there.
using Groups = std::map<std::string, Facts>;

Fact shown(const std::string& text) { return {text.empty() ? "none" : text}; }
Fact shown(const std::vector<std::string>& texts) { return shown(join(texts, ", ")); }
Fact shown(milliseconds time) { return {format_duration(time)}; }
Fact shown_number(std::int64_t number) { return {std::to_string(number)}; }
Fact shown_size(std::size_t bytes) { return {format_size(bytes)}; }
Fact hidden(const std::string& digest) { return {digest, true}; }
Fact hidden(const Secret& secret) { return hidden(sha256(secret.reveal())); }
Fact hidden(const std::vector<Secret>& secrets) {
    std::string all;
    for (const auto& secret : secrets) all += sha256(secret.reveal());
    return hidden(all);
}

std::string text_of(const RateLimit& rate) {
    return rate.requests == 0 ? "" : std::to_string(rate.requests) + '/' + format_duration(rate.per);
}

Facts facts_of(const PushSettings& push) {
    const auto& form = push.proof.signature;
    const bool hex = form.encoding == SignatureForm::Encoding::Hex;
    return {{"verify", shown(push.proof.scheme)},
            {"public_key", shown(push.proof.public_keys)},
            {"verify_token", hidden(push.proof.verify_token)},
            {"tolerance", shown(push.proof.tolerance)},
            {"signature.header", shown(form.header)},
            {"signature.encoding", shown(hex ? "hex" : "base64")},
            {"signature.prefix", shown(form.prefix)},
            {"signature.timestamp_header", shown(form.timestamp_header)},
            {"signature.id_header", shown(form.id_header)},
            {"signature.content", shown(form.content)},
            {"enabled", shown(push.enabled ? "true" : "false")}};
}

Facts facts_of(const PollSettings& poll) {
    const auto count = [](std::size_t number) { return shown_number(static_cast<std::int64_t>(number)); };
    const std::string existing = poll.tell_existing ? "tell" : poll.backfill_existing ? "backfill" : "remember";
    return {{"poll.interval", shown(poll.interval)},
            {"poll.fallback_interval", shown(poll.fallback_interval)},
            {"poll.push_timeout", shown(poll.push_timeout)},
            {"poll.backoff_max", shown(poll.backoff_max)},
            {"poll.stale_after", shown(poll.stale_after)},
            {"poll.refresh_min", shown(poll.refresh_min)},
            {"poll.log", shown(poll.log)},
            {"poll.compare_every", poll.compare_every ? shown(*poll.compare_every) : shown(std::string("auto"))},
            {"poll.existing", shown(existing)},
            {"poll.page_rows", count(poll.page_rows)},
            {"poll.tail_rows", count(poll.tail_rows)},
            {"poll.page_objects", count(poll.page_objects)},
            {"poll.objects_max", count(poll.objects_max)}};
}

Facts facts_of(const SourceSettings& source) {
    Facts facts;
    if (source.poll) facts.merge(facts_of(*source.poll));
    if (source.oauth2) {
        facts.merge(Facts{{"oauth2.credentials", shown(source.oauth2->credentials)},
                          {"oauth2.owner", shown(source.oauth2->owner)},
                          {"oauth2.token_url", shown(source.oauth2->token_url)},
                          {"oauth2.scope", shown(source.oauth2->scope)},
                          {"oauth2.client_auth", shown(std::string(source.oauth2->in_header ? "basic" : "body"))},
                          {"oauth2.margin", shown(source.oauth2->margin)},
                          {"oauth2.timeout", shown(source.oauth2->timeout)}});
    }
    if (source.type == "push") facts.merge(facts_of(source.push));
    facts.merge(Facts{{"type", shown(source.type)},
                      {"mapping", shown(source.mapping)},
                      {"url", shown(source.url)},
                      {"user", shown(source.user)},
                      {"password", hidden(source.password)},
                      {"token", hidden(source.bearer)},
                      {"login", shown(source.app_api ? "app_api" : "password")},
                      {"secret", hidden(source.secrets)},
                      {"hook_token", hidden(source.hook_token)},
                      {"verify", shown(source.unverified ? "none" : "auto")},
                      {"paths", shown(source.paths)},
                      {"limit", shown(text_of(source.limit))},
                      {"rate", shown(text_of(source.rate))},
                      {"register", shown(source.intakes_wanted)},
                      {"classes", shown(source.classes)},
                      {"schemas", shown(source.schemas)},
                      {"snapshots", shown(source.snapshots ? "true" : "false")},
                      {"reconcile_every", shown(source.reconcile_every)},
                      {"names_every", shown(source.names_every)},
                      {"timeout", shown(source.timeout)},
                      {"answer_bytes_max", shown_size(source.answer_bytes_max)}});
    return facts;
}

std::string text_of(const std::optional<BreakerPolicy>& breaker) {
    if (!breaker) return "off";
    return std::to_string(breaker->failures_in_a_row) + " failures, share " + format_number(breaker->failure_share) +
           " in " + format_duration(breaker->window) + ", open " + format_duration(breaker->open_least) + " to " +
           format_duration(breaker->open_most) + ", pause after " + format_duration(breaker->pause_after);
}

Facts facts_of(const TargetSettings& target) {
    std::vector<std::string> schedule;
    for (const auto wait : target.retry.schedule) schedule.push_back(format_duration(wait));
    return {{"adapter", shown(target.adapter)},
            {"in_flight_max", shown_number(target.in_flight_max)},
            {"retry.schedule", shown(schedule)},
            {"retry.jitter", shown(format_number(target.retry.jitter))},
            {"retry.floor", shown(target.retry.floor_after_limit)},
            {"retry.wait_max", shown(target.retry.wait_max)},
            {"rate", shown(text_of(target.rate))},
            {"breaker", shown(text_of(target.breaker))},
            {"connect_timeout", shown(target.connect_timeout)},
            {"timeout", shown(target.timeout)},
            {"answer_bytes_max", shown_size(target.answer_bytes_max)},
            {"any key, secrets included", hidden(target.fingerprint)}};
}

Facts facts_of(const RouteSettings& route) {
    std::vector<std::string> targets;
    for (const auto& target : route.to) targets.push_back(target.value);
    Facts facts = {{"source", shown(route.source)},
                   {"channel", shown(route.channel)},
                   {"event_name", shown(route.event_name)},
                   {"to", shown(targets)},
                   {"order", shown(route.ordered ? "subject" : "none")},
                   {"coalesce", shown(route.latest_only ? "latest" : "none")},
                   {"backfilled", shown(route.backfilled ? "true" : "false")},
                   {"loop.policy", shown(to_text(route.loop.policy))},
                   {"loop.users", shown(route.loop.users)},
                   {"loop.user", shown("payload." + route.loop.user)},
                   {"loop.marker", shown(route.loop.marker)},
                   {"loop.limit", shown_number(route.loop.limit)},
                   {"loop.window", shown(route.loop.window)},
                   {"interpolation", shown(route.interpolation)},
                   {"task", shown(route.task)},
                   {"params", hidden(route.node ? (*route.node)["params"].fingerprint() : "")},
                   {"steps", hidden(route.node ? (*route.node)["steps"].fingerprint() : "")}};
    for (const auto& condition : route.when) facts["when.payload." + condition.path] = shown(condition.any_of);
    return facts;
}

Facts facts_of_the_rest(const Settings& settings) {
    std::vector<std::string> routes;
    for (const auto& route : settings.routes) routes.push_back(route.name);
    const auto& http = settings.http;
    const auto& store = settings.store;
    return {{"listen", shown(http.listen)},
            {"public_url", shown(settings.public_url)},
            {"http.body_bytes_max", shown_size(http.body_bytes_max)},
            {"http.header_bytes_max", shown_size(http.header_bytes_max)},
            {"http.threads_max", shown_number(http.threads_max)},
            {"http.queued_max", shown_number(http.queued_max)},
            {"http.request_timeout", shown(http.request_timeout)},
            {"http.keep_alive", shown(http.keep_alive)},
            {"http.send_timeout", shown(http.send_timeout)},
            {"http.connections_max", shown_size(http.connections_max)},
            {"http.buffered_bytes_max", shown_size(http.buffered_bytes_max)},
            {"store.path", shown(store.path)},
            {"store.batch_max", shown_number(store.batch_max)},
            {"store.twin_window", shown(store.twin_window)},
            {"store.retention.finished", shown(store.retention_finished)},
            {"store.retention.dead", shown(store.retention_dead)},
            {"store.retention.audit", shown(store.retention_audit)},
            {"store.retention.audit_rows_max", shown_number(store.audit_rows_max)},
            {"store.runs.bytes_max (after a restart)", shown_size(store.runs_bytes_max)},
            {"store.runs.params_bytes_max (after a restart)", shown_size(store.run_params_bytes_max)},
            {"replay.per_second_start", shown_number(settings.replay.per_second_start)},
            {"replay.per_second_max", shown_number(settings.replay.per_second_max)},
            {"replay.doubles_every", shown(settings.replay.doubles_every)},
            {"replay.running_max", shown_number(settings.replay.running_max)},
            {"replay.jobs_max", shown_number(settings.replay.jobs_max)},
            {"backlog.deliveries_max", shown_number(settings.backlog.deliveries_max)},
            {"backlog.bytes_max", shown_size(settings.backlog.bytes_max)},
            {"backlog.free_disk_min", shown_size(settings.backlog.free_disk_min)},
            {"backlog.warn_at", shown(format_number(settings.backlog.warn_at))},
            {"mappings", shown(settings.mappings)},
            {"routes, in order", shown(routes)},
            {"adapters.folders", shown(settings.adapters.folders)},
            {"adapters.allow", shown(settings.adapters.allow)},
            {"adapters.step_data_bytes_max", shown_size(settings.adapters.step_data_bytes_max)},
            {"admin.token", hidden(settings.admin_token)},
            {"credentials.key", hidden(settings.credentials.keys)},
            {"credentials.rows_max", shown_number(static_cast<std::int64_t>(settings.credentials.rows_max))},
            {"log.level", shown(settings.log_level)},
            {"deliver.ca_file (after a restart)", shown(settings.ca_file)},
            {"deliver.in_flight_max", shown_number(settings.in_flight_max)},
            {"deliver.lookups_max", shown_number(settings.lookups_max)},
            {"deliver.threads_max (after a restart)", shown_number(settings.threads_max)},
            {"standby (after a restart)", shown(settings.standby.enabled ? "true" : "false")},
            {"standby_poll", shown(settings.standby.poll)},
            {"stop_timeout", shown(settings.stop_timeout)}};
}

Facts facts_of(const SubscriptionSettings& settings) {
    std::vector<std::string> waits;
    for (const auto wait : settings.retry_after) waits.push_back(format_duration(wait));
    Facts facts = {{"allow", shown(settings.allow)},
                   {"timeout", shown(settings.timeout)},
                   {"retry_after", shown(waits)},
                   {"lease_max", shown(settings.lease_max)},
                   {"backfilled", shown(settings.backfilled ? "true" : "false")},
                   {"grace", shown(settings.grace)},
                   {"active_max", shown_number(settings.active_max)},
                   {"catch_up_rate", shown(text_of(settings.catch_up_rate))},
                   {"catch_up_events_max", shown_number(settings.catch_up_events_max)},
                   {"catch_up_waiting_max", shown_number(settings.catch_up_waiting_max)},
                   {"in_flight_max", shown_number(settings.in_flight_max)}};
    for (const auto& product : settings.products) {
        facts["products." + product.name + ".retry"] = shown(product.retry ? "on" : "off");
        facts["products." + product.name + ".secret"] = hidden(product.secrets);
    }
    for (const auto& token : settings.tokens) facts["tokens." + token.name] = hidden(token.values);
    return facts;
}

Groups groups_of(const Settings& settings) {
    Groups groups = {{"", facts_of_the_rest(settings)}};
    if (!settings.subscriptions.products.empty()) groups["subscriptions"] = facts_of(settings.subscriptions);
    for (const auto& source : settings.sources) groups["sources." + source.id.value] = facts_of(source);
    for (const auto& target : settings.targets) groups["targets." + target.id.value] = facts_of(target);
    for (const auto& route : settings.routes)
        groups[route.name.back() == ']' ? route.name : "routes." + route.name] = facts_of(route);
    return groups;
}

void compare(const std::string& group, const Facts& before, const Facts& after, std::vector<std::string>& lines) {
    const Fact none{"none"};
    auto keys = before;
    keys.insert(after.begin(), after.end());
    for (const auto& [key, ignored] : keys) {
        const auto& old_fact = before.count(key) != 0 ? before.at(key) : none;
        const auto& new_fact = after.count(key) != 0 ? after.at(key) : none;
        if (old_fact.text == new_fact.text) continue;
        const auto change = old_fact.hidden || new_fact.hidden ? "changed" : old_fact.text + " → " + new_fact.text;
        lines.push_back(group.empty() ? key : join_path(group, key));
        lines.back().append(": ").append(change);
    }
}

}  // namespace

std::vector<std::string> differences(const Settings& before, const Settings& after) {
    const auto old_groups = groups_of(before);
    const auto new_groups = groups_of(after);
    std::vector<std::string> lines;
    for (const auto& [name, facts] : old_groups) {
        if (const auto now = new_groups.find(name); now != new_groups.end()) {
            compare(name, facts, now->second, lines);
        } else {
            lines.push_back(name + ": removed");
        }
    }
    for (const auto& [name, facts] : new_groups)
        if (old_groups.count(name) == 0) lines.push_back(name + ": added");
    return lines;
}

}  // namespace orbridge
