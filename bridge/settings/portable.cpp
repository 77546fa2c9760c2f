#include "bridge/settings/portable.h"

#include <algorithm>
#include <array>
#include <set>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr std::array<std::string_view, 4> kLogInHeaders = {"authorization", "proxy-authorization", "cookie",
                                                           "x-api-key"};

bool is_one_of(const std::vector<std::string>& all, std::string_view text) {
    return std::find(all.begin(), all.end(), text) != all.end();
}

bool is_plain(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

std::string scalar(std::string_view text) { return is_plain(text) ? std::string(text) : json_string(text); }

/// `${NAME}`, and nothing that could be a secret itself.
bool is_reference(std::string_view text) {
    return text.starts_with("${") && text.ends_with('}') && text.find(":-") == std::string_view::npos;
}

/// `postgresql://who:how@host` without what logs in.
std::string without_user_info(const std::string& text) {
    const auto scheme = text.find("://");
    if (scheme == std::string::npos) return text;
    const auto begin = scheme + 3;
    const auto end = std::min(text.find_first_of("/?#", begin), text.size());
    const auto at = text.rfind('@', end);
    if (at == std::string::npos || at < begin) return text;
    return text.substr(0, begin) + text.substr(at + 1);
}

const Yaml* member_of(const Yaml& map, std::string_view key) {
    for (const auto& member : map.members)
        if (member.key == key) return member.value.get();
    return nullptr;
}

/// Writes the configuration out again, value by value.
class Writer {
public:
    explicit Writer(const IsHidden& is_hidden) : is_hidden_(is_hidden) {}

    Portable write(const Yaml& root) {
        for (const auto& member : root.members) write_member({}, member, 0);
        for (auto& pair : stored_) made_.stored.push_back(pair);
        return std::move(made_);
    }

private:
    using Path = std::vector<std::string>;
    using Member = Yaml::Member;

    void line(int indent, const std::string& text) {
        made_.yaml += std::string(static_cast<std::size_t>(indent), ' ') + text + '\n';
    }

    void write_member(const Path& above, const Member& member, int indent) {
        if (above.size() == 1 && above[0] == "targets") adapter_ = text_of(*member.value, "adapter");
        if (is_left_out(above, member)) return want(above, member.key);
        if (is_secret(above, member)) return write_file(above, member, indent);
        if (write_credentials(above, member, indent)) return;
        if (above == Path{"adapters"} && member.key == "folders") return line(indent, "folders: [adapters]");
        auto path = above;
        path.push_back(member.key);
        write_value(scalar(member.key) + ':', *member.value, path, indent);
    }

    void write_value(const std::string& head, const Yaml& value, const Path& path, int indent) {
        switch (value.kind) {
            case Yaml::Kind::Null: return line(indent, head);
            case Yaml::Kind::Scalar: return line(indent, head + ' ' + scalar(scrubbed(value.text, path)));
            case Yaml::Kind::Map:
                line(indent, head + (value.members.empty() ? " {}" : ""));
                for (const auto& member : value.members) write_member(path, member, indent + 2);
                return;
            case Yaml::Kind::List:
                line(indent, head + (value.items.empty() ? " []" : ""));
                for (std::size_t i = 0; i < value.items.size(); ++i) {
                    auto item = path;
                    item.push_back(std::to_string(i));
                    write_value("-", *value.items[i], item, indent + 2);
                }
        }
    }

    std::string scrubbed(const std::string& text, const Path& path) {
        auto clean = without_user_info(text);
        if (clean != text) made_.wanted.push_back(join(path, ".") + ": who logs in");
        return clean;
    }

    static std::string text_of(const Yaml& map, std::string_view key) {
        const auto* value = member_of(map, key);
        return value != nullptr && value->kind == Yaml::Kind::Scalar ? value->text : std::string();
    }

    static bool is_literal(const Yaml& value) {
        return value.kind == Yaml::Kind::List || (value.kind == Yaml::Kind::Scalar && !is_reference(value.text));
    }

    /// Of a target: `targets.x.config.<field>`.
    static bool is_in(const Path& above, std::string_view section) {
        return above.size() == 3 && above[0] == "targets" && above[2] == section;
    }

    bool is_secret(const Path& above, const Member& member) const {
        if (!is_literal(*member.value)) return false;
        if (is_in(above, "config")) return is_hidden_(adapter_, "config", member.key);
        if (above == Path{"credentials"} && member.key == "key") return true;
        const bool theirs = std::any_of(above.begin(), above.end(), [](const auto& each) {
            return each == "params" || each == "config" || each == "headers" || each == "query";
        });
        return !theirs && member.key != "key" && is_one_of(secret_keys(), member.key);
    }

    bool is_left_out(const Path& above, const Member& member) const {
        if (!is_literal(*member.value)) return false;
        if (is_in(above, "params")) return is_hidden_(adapter_, "params", member.key);
        if (above.empty() || (above.back() != "headers" && above.back() != "query")) return false;
        const auto name = to_lower(member.key);
        return is_one_of(secret_keys(), name) ||
               std::find(kLogInHeaders.begin(), kLogInHeaders.end(), name) != kLogInHeaders.end();
    }

    void want(Path path, const std::string& key) {
        path.push_back(key);
        made_.wanted.push_back(join(path, "."));
    }

    void write_file(Path path, const Member& member, int indent) {
        path.push_back(member.key);
        const auto file = "secrets/" + join(path, ".");
        if (member.value->kind == Yaml::Kind::Scalar) {
            made_.wanted.push_back(file);
            return line(indent, member.key + "_file: " + json_string(file));
        }
        line(indent, member.key + "_file:");
        for (std::size_t i = 0; i < member.value->items.size(); ++i) {
            made_.wanted.push_back(file + '.' + std::to_string(i));
            line(indent + 2, "- " + json_string(made_.wanted.back()));
        }
    }

    bool write_credentials(const Path& above, const Member& member, int indent) {
        if (member.key != "credentials" || above.empty()) return false;
        const bool of_target = above.size() == 2 && above[0] == "targets";
        const bool of_source = above[0] == "sources" && above.back() == "oauth2";
        if (!of_target && !of_source) return false;
        const bool named = member.value->kind == Yaml::Kind::Scalar;
        const auto name = named ? member.value->text : above[1];
        stored_.insert({of_source ? "oauth2" : adapter_, name});
        line(indent, "credentials: " + scalar(name));
        return true;
    }

    const IsHidden& is_hidden_;
    std::string adapter_;  ///< of the target that is being written
    std::set<std::pair<std::string, std::string>> stored_;
    Portable made_;
};

}  // namespace

const std::vector<std::string>& secret_keys() {
    static const std::vector<std::string> kKeys = {"hook_token", "key", "password", "secret", "token", "verify_token"};
    return kKeys;
}

Portable portable(const Yaml& root, const IsHidden& is_hidden) { return Writer(is_hidden).write(root); }

}  // namespace orbridge
