#include "bridge/normalize/preview.h"

#include <utility>
#include <vector>

#include "bridge/core/capture.h"
#include "bridge/core/json.h"

namespace orbridge {
namespace {

using Lines = std::vector<std::pair<std::string_view, std::string>>;

Lines lines_of(const Normalized& event) {
    return {{"rule", event.rule},          {"class", event.event_class},
            {"channel", event.channel},    {"eventName", event.event_name},
            {"subject", event.subject},    {"occurredAt", event.occurred_at ? to_iso8601(*event.occurred_at) : ""},
            {"dedupKey", event.dedup_key}, {"twinKey", event.twin_key}};
}

Lines lines_of(const Unmapped& event) {
    return {{"class", event.event_class}, {"reason", event.reason}, {"dedupKey", event.dedup_key}};
}

void write_text(std::string& text, const Lines& lines, std::string_view last, const std::string& json) {
    constexpr std::size_t kColumn = 12;
    for (const auto& [name, value] : lines)
        text += std::string(name) + std::string(kColumn - name.size(), ' ') + (value.empty() ? "-" : value) + '\n';
    text += std::string(last) + std::string(kColumn - last.size(), ' ') + json + '\n';
}

void write_json(JsonWriter& out, const Lines& lines, std::string_view last, const std::string& json) {
    out.object();
    for (const auto& [name, value] : lines)
        if (!value.empty()) out.member(name, value);
    out.member_raw(last, json).end();
}

}  // namespace

Result<NormalizeOutcome> preview(const Normalizer& normalizer, const Names& names, std::string_view file,
                                 const PreviewFrom& from) {
    InboundRequest request;
    if (looks_like_capture(file)) {
        auto parsed = parse_capture(file);
        if (!parsed) return parsed.error();
        request = std::move(*parsed);
    } else {
        request.body = file;
    }
    return normalizer.normalize(verified_before(from.source, from.source_type, from.intake, std::move(request.body),
                                                from.received_at, std::move(request.headers)),
                                names);
}

std::string preview_text(const NormalizeOutcome& outcome) {
    std::string text;
    if (const auto* unmapped = std::get_if<Unmapped>(&outcome)) {
        write_text(text, lines_of(*unmapped), "body", unmapped->body);
        return text;
    }
    for (const auto& event : std::get<std::vector<Normalized>>(outcome)) {
        if (!text.empty()) text += '\n';
        write_text(text, lines_of(event), "payload", event.payload);
    }
    return text;
}

std::string preview_json(const NormalizeOutcome& outcome) {
    JsonWriter out;
    out.object();
    if (const auto* unmapped = std::get_if<Unmapped>(&outcome)) {
        out.key("unmapped");
        write_json(out, lines_of(*unmapped), "body", unmapped->body);
    } else {
        out.key("mapped").array();
        for (const auto& event : std::get<std::vector<Normalized>>(outcome))
            write_json(out, lines_of(event), "payload", event.payload);
        out.end();
    }
    return std::move(out.end()).text();
}

}  // namespace orbridge
