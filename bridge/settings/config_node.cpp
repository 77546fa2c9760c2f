#include "bridge/settings/config_node.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <limits>
#include <map>

#include "bridge/core/text.h"
#include "bridge/settings/config_file.h"
#include "bridge/settings/values.h"
#include "bridge/settings/yaml_tree.h"

namespace orbridge {
namespace {

constexpr std::size_t kSecretFileBytesMax = 64 << 10;
constexpr std::size_t kQuotedBytesMax = 60;

struct Document {
    std::string name;
    std::string folder;
    Complaints& complaints;
};

std::string quoted(const std::string& text) {
    if (text.size() <= kQuotedBytesMax) return '`' + text + '`';
    return '`' + text.substr(0, kQuotedBytesMax) + "…`";
}

std::string where_in(const std::string& file, YamlPlace at) {
    return file + ':' + std::to_string(at.line) + ':' + std::to_string(at.column);
}

const char* describe(Yaml::Kind kind) {
    switch (kind) {
        case Yaml::Kind::Null: return "nothing";
        case Yaml::Kind::Scalar: return "text";
        case Yaml::Kind::List: return "a list";
        case Yaml::Kind::Map: return "a mapping";
    }
    return "something else";
}

bool has_control_character(const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

}  // namespace

struct ConfigNode::Impl {
    std::shared_ptr<const Document> document;
    YamlPtr value;  ///< nothing: absent
    YamlPlace at;
    std::string path;
    bool quiet = false;  ///< something above it was complained of already

    // What was asked of it; shared by all copies of the node, so that done() sees what others read.
    std::vector<std::string> asked{};
    std::map<std::string, std::shared_ptr<Impl>, std::less<>> children{};
    std::vector<std::shared_ptr<Impl>> elements{};
    std::optional<std::optional<std::string>> text{};

    bool is(Yaml::Kind kind) const { return value && value->kind == kind; }

    std::shared_ptr<Impl> below(const YamlPtr& child, YamlPlace key_at, std::string child_path) const {
        auto impl = std::make_shared<Impl>(Impl{document, child, key_at, std::move(child_path), quiet});
        if (child && child->kind == Yaml::Kind::Null) impl->value = nullptr;
        if (impl->is(Yaml::Kind::Scalar)) impl->at = child->at;
        return impl;
    }
};

/// What a value must be, for the complaint.
struct ConfigNode::Range {
    std::string form;  ///< "a duration like 20s"
    std::string least, most;
};

ConfigNode::ConfigNode(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

ConfigNode ConfigNode::load(const std::string& file, Complaints& complaints) {
    const auto text = read_file(file, kYamlBytesMax);
    if (text) return parse(*text, file, complaints);
    complaints.add(file, "", text.error().message);
    const auto document = std::make_shared<const Document>(Document{file, "", complaints});
    return ConfigNode(std::make_shared<Impl>(Impl{document, nullptr, {}, "", true}));
}

ConfigNode ConfigNode::parse(const std::string& text, const std::string& name, Complaints& complaints) {
    const auto folder = std::filesystem::path(name).parent_path().string();
    const auto document = std::make_shared<const Document>(Document{name, folder, complaints});
    const auto yaml = parse_yaml(text);
    auto root = std::make_shared<Impl>(Impl{document, yaml.root, {}, "", yaml.root == nullptr});
    if (root->is(Yaml::Kind::Null)) root->value = nullptr;
    for (const auto& problem : yaml.problems) complaints.add(where_in(name, problem.at), problem.path, problem.what);
    return ConfigNode(std::move(root));
}

bool ConfigNode::present() const { return impl_->value != nullptr; }
bool ConfigNode::is_map() const { return impl_->is(Yaml::Kind::Map); }
bool ConfigNode::is_list() const { return impl_->is(Yaml::Kind::List); }
bool ConfigNode::is_scalar() const { return impl_->is(Yaml::Kind::Scalar); }
const std::string& ConfigNode::path() const { return impl_->path; }
const std::string& ConfigNode::file() const { return impl_->document->name; }

std::string ConfigNode::where() const { return where_in(file(), impl_->at); }

void ConfigNode::complain(const std::string& what) const {
    if (!impl_->quiet) impl_->document->complaints.add(where(), path(), what);
}

bool ConfigNode::must_be_map() const {
    if (is_map()) return true;
    if (!present()) return false;
    complain(std::string("expected a mapping, found ") + describe(impl_->value->kind));
    impl_->quiet = true;
    return false;
}

ConfigNode ConfigNode::operator[](std::string_view key) const {
    if (const auto known = impl_->children.find(key); known != impl_->children.end()) return ConfigNode(known->second);
    const bool usable = must_be_map();
    std::string name(key);
    auto child = impl_->below(nullptr, impl_->at, join_path(path(), name));
    if (usable) {
        const auto& members = impl_->value->members;
        const auto found =
            std::find_if(members.begin(), members.end(), [&](const Yaml::Member& each) { return each.key == key; });
        if (found != members.end()) child = impl_->below(found->value, found->at, child->path);
    }
    impl_->asked.push_back(name);
    impl_->children.emplace(std::move(name), child);
    return ConfigNode(std::move(child));
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::entries() const {
    std::vector<std::pair<std::string, ConfigNode>> all;
    if (!must_be_map()) return all;
    for (const auto& member : impl_->value->members) all.emplace_back(member.key, (*this)[member.key]);
    return all;
}

std::vector<ConfigNode> ConfigNode::items() const {
    std::vector<ConfigNode> all;
    if (present() && !is_list()) {
        complain(std::string("expected a list, found ") + describe(impl_->value->kind));
        impl_->quiet = true;
    }
    if (!is_list()) return all;
    for (std::size_t i = 0; i < impl_->value->items.size(); ++i) all.push_back(element(i));
    return all;
}

ConfigNode ConfigNode::element(std::size_t index) const {
    auto& elements = impl_->elements;
    const auto& yaml = impl_->value->items;
    while (elements.size() < yaml.size()) {
        const auto& item = yaml[elements.size()];
        elements.push_back(impl_->below(item, item->at, join_path(path(), elements.size())));
    }
    return ConfigNode(elements[index]);
}

std::vector<ConfigNode> ConfigNode::one_or_list() const {
    if (!present()) return {};
    return is_list() ? items() : std::vector<ConfigNode>{*this};
}

std::optional<std::string> ConfigNode::as_text() const {
    if (!present()) return std::nullopt;
    if (impl_->text) return *impl_->text;
    impl_->text.emplace();
    if (!is_scalar()) {
        complain(std::string("expected text, found ") + describe(impl_->value->kind));
        return std::nullopt;
    }
    auto expanded = expand_environment(impl_->value->text);
    if (!expanded) {
        complain(expanded.error().message);
        return std::nullopt;
    }
    impl_->text = *expanded;
    return *impl_->text;
}

std::string ConfigNode::text(std::string_view key) const {
    const auto child = (*this)[key];
    if (!child.present()) child.complain("missing");
    const auto text = child.as_text();
    if (text && text->empty()) child.complain("must not be empty");
    return text.value_or("");
}

std::string ConfigNode::text(std::string_view key, const std::string& fallback) const {
    return (*this)[key].as_text().value_or(fallback);
}

std::string ConfigNode::word(std::string_view key, const std::vector<std::string>& words,
                             const std::string& fallback) const {
    const auto child = (*this)[key];
    const auto text = child.as_text();
    if (!text) return fallback;
    if (std::find(words.begin(), words.end(), *text) != words.end()) return *text;
    child.complain(quoted(child.impl_->value->text) + " is not one of: " + join(words, ", "));
    return fallback;
}

bool ConfigNode::flag(std::string_view key, bool fallback) const {
    const auto child = (*this)[key];
    const auto text = child.as_text();
    if (!text) return fallback;
    if (*text != "true" && *text != "false") child.complain(quoted(child.impl_->value->text) + " is not true or false");
    return *text == "true" || (*text != "false" && fallback);
}

/// The value within its limits, or nothing and a complaint.
template <class Parse, class Outside>
auto ConfigNode::parsed(Parse read, Outside outside, const Range& range) const {
    using Value = decltype(read(std::string_view()));
    const auto content = as_text();
    if (!content) return Value();
    const auto value = read(*content);
    if (!value) {
        complain(quoted(impl_->value->text) + " is not " + range.form);
    } else if (outside(*value)) {
        complain(quoted(impl_->value->text) + " is out of range, expected " + range.least + " to " + range.most);
    } else {
        return value;
    }
    return Value();
}

std::int64_t ConfigNode::integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                                 std::int64_t most) const {
    const Range range{"a whole number", std::to_string(least), std::to_string(most)};
    const auto outside = [&](std::int64_t value) { return value < least || value > most; };
    return (*this)[key].parsed(parse_integer, outside, range).value_or(fallback);
}

double ConfigNode::number(std::string_view key, double fallback, double least, double most) const {
    const Range range{"a number", format_number(least), format_number(most)};
    const auto outside = [&](double value) { return value < least || value > most; };
    return (*this)[key].parsed(parse_number, outside, range).value_or(fallback);
}

milliseconds ConfigNode::duration(std::string_view key, milliseconds fallback, milliseconds least,
                                  milliseconds most) const {
    const Range range{"a duration like 500ms, 20s, 5m, 1h or 3d", format_duration(least), format_duration(most)};
    const auto outside = [&](milliseconds value) { return value < least || value > most; };
    return (*this)[key].parsed(parse_duration, outside, range).value_or(fallback);
}

std::size_t ConfigNode::size(std::string_view key, std::size_t fallback, std::size_t least, std::size_t most) const {
    const Range range{"a size like 512B, 64KiB or 1MiB", format_size(least), format_size(most)};
    const auto outside = [&](std::size_t value) { return value < least || value > most; };
    return (*this)[key].parsed(parse_size, outside, range).value_or(fallback);
}

std::vector<milliseconds> ConfigNode::durations(std::string_view key, const std::vector<milliseconds>& fallback,
                                                milliseconds least, milliseconds most) const {
    const Range range{"a duration like 500ms, 20s, 5m, 1h or 3d", format_duration(least), format_duration(most)};
    const auto outside = [&](milliseconds value) { return value < least || value > most; };
    const auto list = (*this)[key];
    if (!list.present()) return fallback;
    std::vector<milliseconds> all;
    for (const auto& item : list.items()) all.push_back(item.parsed(parse_duration, outside, range).value_or(least));
    return all;
}

std::vector<std::string> ConfigNode::texts(std::string_view key, const std::vector<std::string>& fallback) const {
    const auto child = (*this)[key];
    if (!child.present()) return fallback;
    std::vector<std::string> all;
    for (const auto& item : child.one_or_list()) {
        const auto text = item.as_text();
        if (!item.present() || (text && text->empty())) item.complain("must not be empty");
        if (text && !text->empty()) all.push_back(*text);
    }
    return all;
}

std::string ConfigNode::url(std::string_view key, bool required) const {
    auto address = required ? text(key) : text(key, "");
    if (address.empty()) return {};
    if (const auto fault = url_fault(address)) {
        (*this)[key].complain(*fault);
        return {};
    }
    while (address.back() == '/') address.pop_back();
    return address;
}

Secret ConfigNode::secret(std::string_view key, bool required) const {
    const auto all = read_secrets(key, required, false);
    return all.empty() ? Secret() : all.front();
}

std::vector<Secret> ConfigNode::secrets(std::string_view key, bool required) const {
    return read_secrets(key, required, true);
}

std::vector<Secret> ConfigNode::read_secrets(std::string_view key, bool required, bool many) const {
    const std::string name(key);
    const auto here = (*this)[name];
    const auto elsewhere = (*this)[name + "_file"];
    if (here.present() && elsewhere.present())
        elsewhere.complain("given beside `" + name + "`, expected only one of them");
    if (required && !here.present() && !elsewhere.present())
        here.complain("missing, expected `" + name + "_file: <file>` or `" + name + ": ${NAME}`");
    std::vector<Secret> all;
    const auto collect = [&](const ConfigNode& from, auto read) {
        if (from.is_list() && from.impl_->value->items.empty()) from.complain("must not be empty");
        for (const auto& node : many ? from.one_or_list() : std::vector{from}) {
            if (from.is_list() && !node.present()) node.complain("must not be empty");
            if (auto secret = (node.*read)()) all.push_back(*secret);
        }
    };
    collect(here, &ConfigNode::as_secret);
    collect(elsewhere, &ConfigNode::as_secret_file);
    return all;
}

std::optional<Secret> ConfigNode::as_secret() const {
    const auto text = as_text();
    if (!text) return std::nullopt;
    if (text->empty()) {
        complain("must not be empty");
    } else if (has_control_character(*text)) {
        complain("has a line break or control character in it");
    } else {
        return Secret(*text);
    }
    return std::nullopt;
}

/// The first line of the file that this node names. Complaints quote the name as written: someone may
/// have put the secret itself there by way of a variable.
std::optional<Secret> ConfigNode::as_secret_file() const {
    const auto name = as_text();
    if (!name) return std::nullopt;
    const auto complain_of_file = [this](const std::string& what) {
        complain("file " + quoted(impl_->value->text) + ": " + what);
        return std::nullopt;
    };
    if (name->empty()) return complain_of_file("expected the name of a file");
    const auto content = read_file(beside(*name), kSecretFileBytesMax);
    if (!content) return complain_of_file(content.error().message);
    auto line = content->substr(0, content->find('\n'));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (trim(line).empty()) return complain_of_file("its first line is empty");
    if (has_control_character(line)) return complain_of_file("it has a control character in it");
    return Secret(std::move(line));
}

std::string ConfigNode::beside(const std::string& name) const {
    return (std::filesystem::path(impl_->document->folder) / name).lexically_normal().string();
}

std::string ConfigNode::fingerprint() const {
    struct Walk {
        const ConfigNode& node;
        std::string operator()(const Yaml& yaml, bool is_file_name) const {
            std::string all = std::to_string(static_cast<int>(yaml.kind)) + ':';
            if (yaml.kind == Yaml::Kind::Scalar) {
                const auto text = expand_environment(yaml.text);
                all += text ? *text : yaml.text;
                if (is_file_name && text) {
                    const auto content = read_file(node.beside(*text), kSecretFileBytesMax);
                    all += '\0' + (content ? *content : content.error().message);
                }
            }
            for (const auto& item : yaml.items) all += (*this)(*item, is_file_name);
            for (const auto& [key, at, value] : yaml.members)
                all += sha256(key) + (*this)(*value, key.size() > 5 && key.substr(key.size() - 5) == "_file");
            return sha256(all);
        }
    };
    return present() ? to_hex(Walk{*this}(*impl_->value, false)) : std::string();
}

void ConfigNode::done() const {
    if (!must_be_map()) return;
    for (const auto& member : impl_->value->members) {
        const auto& known = impl_->asked;
        if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
        const auto child = ConfigNode(impl_->below(nullptr, member.at, join_path(path(), member.key)));
        child.complain("unknown key" + suggestion(member.key, known));
    }
}

}  // namespace orbridge
