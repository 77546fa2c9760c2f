#include <algorithm>
#include <iostream>

#include "bridge/cli/api.h"
#include "bridge/settings/values.h"

namespace orbridge::cli {
namespace {

/// `ObjectCreatedEvent and 19 more` for a long list of class names.
std::string short_classes(const std::string& classes) {
    const auto first = classes.substr(0, classes.find(", "));
    const auto commas = static_cast<std::size_t>(std::count(classes.begin(), classes.end(), ','));
    const auto name = first.substr(first.rfind('\\') + 1);
    return commas == 0 ? name : name + " and " + std::to_string(commas) + " more";
}

void print_registrar(const Json& registrar) {
    std::cout << "    registered: " << text_of(registrar, "state");
    if (registrar["message"]) std::cout << " - " << text_of(registrar, "message");
    std::cout << "\n";
    std::vector<std::vector<std::string>> rows;
    for (const auto& member : registrar["registrations"].members()) {
        const auto& each = member.value;
        rows.push_back({"     ", text_of(each, "kind"), text_of(each, "state"), short_classes(text_of(each, "class")),
                        text_of(each, "detail")});
    }
    std::cout << table(rows);
    for (const auto& each : registrar["cannot_arrive"].members())
        std::cout << "    cannot arrive: " << each.value.string().value_or("") << "\n";
    for (const auto& each : registrar["notices"].members())
        std::cout << "    note: " << each.value.string().value_or("") << "\n";
    if (registrar["next_try"]) std::cout << "    next look: " << text_of(registrar, "next_try") << "\n";
}

/// How far behind, what only polling brought, and what nobody can tell: the report of gaps.
void print_poll(const Json& poll) {
    std::cout << "    polled: " << text_of(poll, "state");
    if (poll["reads"]) std::cout << ", reads " << text_of(poll, "reads");
    if (poll["fetched_at"]) std::cout << ", last good " << text_of(poll, "fetched_at");
    if (poll["next_poll"]) std::cout << ", next " << text_of(poll, "next_poll");
    std::cout << "\n    found: " << text_of(poll, "recovered") << " that no push had brought, "
              << text_of(poll, "duplicates") << " known already, " << text_of(poll, "untold")
              << " whose content was gone; pushes: " << text_of(poll, "pushes") << "\n";
    if (poll["error"])
        std::cout << "    trouble, " << text_of(poll, "failures") << " in a row: " << text_of(poll, "error") << "\n";
    for (const auto& each : poll["cannot_tell"].members())
        std::cout << "    cannot tell: " << each.value.string().value_or("") << "\n";
}

void print_source(const std::string& name, const Json& source) {
    std::cout << "  " << name << " (" << text_of(source, "type") << ") " << text_of(source, "url") << "\n";
    if (source["heard"].empty()) std::cout << "    heard: nothing yet\n";
    for (const auto& heard : source["heard"].members()) {
        std::cout << "    heard: " << heard.key << ", " << text_of(heard.value, "count") << " times, last "
                  << text_of(heard.value, "last_at");
        if (const auto lag = heard.value["lag_ms"].integer())
            std::cout << ", " << format_duration(milliseconds{*lag}) << " after it happened";
        std::cout << "\n";
    }
    if (source["registrar"]) print_registrar(source["registrar"]);
    if (source["poll"]) print_poll(source["poll"]);
}

std::string rate_of(const Json& target) {
    const auto rate = target["rate"];
    if (!rate) return "-";
    return text_of(rate, "requests") + "/" + format_duration(milliseconds{rate["per_ms"].integer().value_or(0)});
}

/// Why a target is not asked as usual, and what to do about it.
void print_trouble(const std::string& name, const Json& target) {
    const auto state = text_of(target, "state");
    const auto deferred = target["deferred"];
    if (!deferred && !target["failing_since"]) return;
    std::cout << "  " << name << ": " << state;
    if (deferred) std::cout << ", deferred by " << text_of(deferred, "by");
    if (deferred["until"]) std::cout << " until " << text_of(deferred, "until");
    if (target["failing_since"]) std::cout << ", failing since " << text_of(target, "failing_since");
    if (target["reason"]) std::cout << ": " << text_of(target, "reason");
    std::cout << "\n";
    if (state == "paused") std::cout << "    nothing is lost; go on with: orbridge resume " << name << "\n";
}

/// When it last went well and wrong, and when it goes on.
void print_health(const std::string& name, const Json& thing) {
    if (!thing["last_success"] && !thing["last_error"]) return;
    std::cout << "  " << name << ": last success "
              << (thing["last_success"] ? text_of(thing, "last_success") : "never");
    if (thing["next_run"]) std::cout << ", next " << text_of(thing, "next_run");
    if (const auto error = thing["last_error"]) {
        std::cout << ", last error " << text_of(error, "at");
        if (text_of(thing, "consecutive_failures") != "0")
            std::cout << ", " << text_of(thing, "consecutive_failures") << " in a row";
        std::cout << ": " << text_of(error, "message");
    }
    std::cout << "\n";
}

void print_status(const Json& status) {
    const bool ready = status.path("readiness.ready").boolean().value_or(false);
    std::cout << "orbridge " << text_of(status, "version") << ", up since " << text_of(status, "started_at") << ", "
              << (ready ? "ready" : "NOT READY") << "\n";
    for (const auto& check : status.path("readiness.checks").members()) {
        if (!check.value["ok"].boolean().value_or(false))
            std::cout << "  not ready: " << check.key << ": " << text_of(check.value, "detail") << "\n";
    }
    std::cout << "events: " << text_of(status["store"], "events") << " kept, " << text_of(status["store"], "unmapped")
              << " of them unmapped\nsources:\n";
    for (const auto& source : status["sources"].members()) print_source(source.key, source.value);
    std::cout << "targets:\n";
    std::vector<std::vector<std::string>> rows = {
        {"  NAME", "STATE", "IN FLIGHT", "RATE", "PENDING", "DELIVERED", "DEAD", "OLDEST PENDING"}};
    for (const auto& target : status["targets"].members()) {
        const auto counts = status["store"]["targets"][target.key];
        const auto number = [&](const char* name) { return counts[name] ? text_of(counts, name) : std::string("0"); };
        rows.push_back({"  " + target.key, text_of(target.value, "state"), text_of(target.value, "in_flight"),
                        rate_of(target.value), number("pending"), number("delivered"), number("dead"),
                        text_of(counts, "oldest_pending")});
    }
    std::cout << table(rows);
    for (const auto& target : status["targets"].members()) {
        print_health(target.key, target.value);
        print_trouble(target.key, target.value);
    }
}

}  // namespace

int run_status(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto answer = ApiClient(*settings).get("/api/v1/status");
    if (!answer) return args.has("ready") ? kFailed : fail(answer.error());
    const auto status = (*answer)->root();
    if (args.has("ready")) return status.path("readiness.ready").boolean().value_or(false) ? kOk : kFailed;
    if (args.json()) {
        std::cout << (*answer)->text() << "\n";
    } else {
        print_status(status);
    }
    return kOk;
}

}  // namespace orbridge::cli
