#include <iostream>

#include "bridge/api/rows.h"
#include "bridge/cli/source_choice.h"
#include "bridge/core/capture.h"
#include "bridge/normalize/preview.h"
#include "bridge/plan.h"

namespace orbridge::cli {
namespace {

/// Told by what only one intake sends, unless --intake says it.
std::optional<Intake> choose_intake(const Args& args, const SourceSettings& source, const std::string& text) {
    Intake intake = source.type == "nextcloud" ? Intake::Listeners : Intake::Webhooks;
    if (source.type == "push") intake = Intake::Push;
    if (source.type == "openregister" && text.find("nl.openregister.object.") != std::string::npos)
        intake = Intake::Hooks;
    if (!args.has("intake") || from_text(args.get("intake"), intake)) return intake;
    std::cerr << "orbridge: --intake: expected webhooks, listeners or hooks\n";
    return std::nullopt;
}

Event event_of(const Normalized& mapped, const SourceSettings& source, Intake intake) {
    Event event;
    event.source = source.id;
    event.intake = intake;
    event.event_class = mapped.event_class;
    event.channel = mapped.channel;
    event.event_name = mapped.event_name;
    event.subject = mapped.subject;
    event.payload = mapped.payload;
    return event;
}

void print_routes(const std::vector<RouteVerdict>& verdicts) {
    std::vector<std::vector<std::string>> rows;
    rows.reserve(verdicts.size());
    for (const auto& verdict : verdicts) {
        rows.push_back({verdict.matched ? "  takes it" : "  passes by", verdict.route, "→ " + verdict.target.value,
                        verdict.reason});
    }
    std::cout << "routes:\n" << (rows.empty() ? "  none configured\n" : table(rows));
}

void print_json(const NormalizeOutcome& outcome, const Plan& plan, const SourceSettings& source, Intake intake) {
    JsonWriter json;
    json.object().member_raw("outcome", preview_json(outcome)).key("routes").array();
    if (const auto* mapped = std::get_if<std::vector<Normalized>>(&outcome)) {
        for (const auto& each : *mapped)
            write_verdicts(json, plan.ingest.router.explain(event_of(each, source, intake)));
    }
    json.end().end();
    std::cout << json.text() << "\n";
}

}  // namespace

int run_map(const Args& args) {
    Complaints complaints;
    auto settings = load_settings(args, complaints);
    if (!settings) return kConfiguration;
    const auto plan = make_plan(std::move(*settings), {}, complaints);
    for (const auto& line : complaints.lines()) std::cerr << line << "\n";
    if (!complaints.empty()) return kConfiguration;
    const auto* source = choose_source(plan->settings, args);
    if (source == nullptr) return kConfiguration;
    const auto text = read_input(args.word(0));
    if (!text) return kFailed;
    const auto intake = choose_intake(args, *source, *text);
    if (!intake) return kConfiguration;
    const auto outcome =
        preview(plan->ingest.normalizer, Names(), *text, {source->id, source->mapping, *intake, SystemClock().now()});
    if (!outcome) return fail(outcome.error());
    if (args.json()) {
        print_json(*outcome, *plan, *source, *intake);
        return kOk;
    }
    std::cout << preview_text(*outcome);
    if (const auto* mapped = std::get_if<std::vector<Normalized>>(&*outcome))
        for (const auto& each : *mapped) print_routes(plan->ingest.router.explain(event_of(each, *source, *intake)));
    return kOk;
}

}  // namespace orbridge::cli
