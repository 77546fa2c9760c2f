#include "bridge/normalize/names.h"

namespace orbridge {

std::optional<std::string> Names::slug(const SourceId& source, std::string_view kind, std::string_view id) const {
    return slugs_.with([&](const auto& slugs) -> std::optional<std::string> {
        const auto names = slugs.find(Key{source.value, kind});
        if (names == slugs.end()) return std::nullopt;
        const auto found = names->second.find(std::string(id));
        if (found == names->second.end()) return std::nullopt;
        return found->second;
    });
}

void Names::replace(const SourceId& source, std::string_view kind, std::map<std::string, std::string> slug_by_id) {
    slugs_.with([&](auto& slugs) { slugs[Key{source.value, kind}] = std::move(slug_by_id); });
}

void Names::learn(const SourceId& source, std::string_view kind, const std::string& id, const std::string& slug) {
    slugs_.with([&](auto& slugs) { slugs[Key{source.value, kind}][id] = slug; });
}

std::map<std::string, std::string> Names::all(const SourceId& source, std::string_view kind) const {
    return slugs_.with([&](const auto& slugs) {
        const auto names = slugs.find(Key{source.value, kind});
        return names == slugs.end() ? std::map<std::string, std::string>{} : names->second;
    });
}

}  // namespace orbridge
