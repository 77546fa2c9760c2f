#include "bridge/settings/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace orbridge {
namespace {

constexpr std::size_t kKeyBytesMax = 200;

YamlPlace place_of(const YAML::Mark& mark) {
    if (mark.is_null()) return {};
    return {mark.line + 1, mark.column + 1};
}

/// Ends the parse: what follows cannot be trusted or afforded.
struct Refused {
    YamlProblem problem;
};

bool is_standard_tag(std::string_view tag) {
    constexpr std::string_view kStandard = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!") return true;
    if (tag.substr(0, kStandard.size()) != kStandard) return false;
    constexpr std::array<std::string_view, 7> kNames = {"str", "int", "float", "bool", "null", "seq", "map"};
    return std::find(kNames.begin(), kNames.end(), tag.substr(kStandard.size())) != kNames.end();
}

class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(std::vector<YamlProblem>& problems) : problems_(problems) {}

    YamlPtr root() const { return root_; }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ > 0) refuse(mark, "a second document begins here, expected only one");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor, Yaml::Kind::Null, {}); }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        check_tag(mark, tag);
        leaf(mark, anchor, Yaml::Kind::Scalar, value);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchored_.find(anchor);
        if (found == anchored_.end()) refuse(mark, "an alias inside of what it stands for");
        attach(mark, found->second);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        check_tag(mark, tag);
        open(mark, anchor, Yaml::Kind::List);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        check_tag(mark, tag);
        open(mark, anchor, Yaml::Kind::Map);
    }
    void OnMapEnd() override {
        merge(*open_.back().node);
        close();
    }

private:
    struct Open {
        std::shared_ptr<Yaml> node;
        YAML::anchor_t anchor = 0;
        std::optional<Yaml::Member> key{};        ///< read, and its value not yet
        bool doubled = false;                     ///< that key was there before
        std::map<std::string, YamlPlace> keys{};  ///< seen so far
    };

    [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
        throw Refused{{place_of(mark), path(), what}};
    }
    void check_tag(const YAML::Mark& mark, const std::string& tag) const {
        if (!is_standard_tag(tag)) refuse(mark, "YAML tags are not supported");
    }

    std::string path() const {
        std::string text;
        for (const auto& level : open_) {
            if (level.node->kind == Yaml::Kind::List) {
                text = join_path(text, level.node->items.size());
            } else if (level.key) {
                text = join_path(text, level.key->key);
            }
        }
        return text;
    }

    void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Yaml::Kind kind, const std::string& text) {
        auto node = std::make_shared<Yaml>();
        node->kind = kind;
        node->at = place_of(mark);
        node->text = text;
        if (anchor != 0) anchored_[anchor] = node;
        attach(mark, std::move(node));
    }

    void open(const YAML::Mark& mark, YAML::anchor_t anchor, Yaml::Kind kind) {
        if (expects_key()) refuse(mark, "a key must be text");
        if (open_.size() >= kYamlDepthMax)
            refuse(mark, "nested deeper than " + std::to_string(kYamlDepthMax) + " levels");
        auto node = std::make_shared<Yaml>();
        node->kind = kind;
        node->at = place_of(mark);
        open_.push_back({std::move(node), anchor});
    }

    void close() {
        const auto done = std::move(open_.back());
        open_.pop_back();
        if (done.anchor != 0) anchored_[done.anchor] = done.node;
        attach(YAML::Mark::null_mark(), done.node);
    }

    bool expects_key() const {
        return !open_.empty() && open_.back().node->kind == Yaml::Kind::Map && !open_.back().key;
    }

    void attach(const YAML::Mark& mark, YamlPtr value) {
        if (open_.empty()) {
            root_ = std::move(value);
        } else if (expects_key()) {
            attach_key(mark, *value);
        } else {
            attach_value(mark, std::move(value));
        }
    }

    void attach_key(const YAML::Mark& mark, const Yaml& key) {
        if (key.kind != Yaml::Kind::Scalar || key.text.empty()) refuse(mark, "a key must be text");
        if (key.text.size() > kKeyBytesMax) refuse(mark, "a key of more than 200 bytes");
        auto& map = open_.back();
        map.key = Yaml::Member{key.text, place_of(mark), nullptr};
        const auto [first, is_new] = map.keys.emplace(key.text, map.key->at);
        map.doubled = !is_new;
        if (is_new) return;
        const auto line = std::to_string(first->second.line);
        problems_.push_back({map.key->at, path(), "given twice, first in line " + line});
    }

    void attach_value(const YAML::Mark& mark, YamlPtr value) {
        auto& into = open_.back();
        into.node->weight += value->weight;
        if (into.node->weight > kYamlValuesMax)
            refuse(mark, "more than " + std::to_string(kYamlValuesMax) + " values, aliases expanded");
        if (into.node->kind == Yaml::Kind::List) {
            into.node->items.push_back(std::move(value));
            return;
        }
        into.key->value = std::move(value);
        if (!into.doubled) into.node->members.push_back(std::move(*into.key));
        into.key.reset();
    }

    /// `<<: *base` or `<<: [*a, *b]`: adds the members that are not there yet.
    void merge(Yaml& map) {
        auto& members = map.members;
        const auto found =
            std::find_if(members.begin(), members.end(), [](const Yaml::Member& each) { return each.key == "<<"; });
        if (found == members.end()) return;
        const auto base = *found;
        members.erase(found);
        const auto bases = base.value->kind == Yaml::Kind::List ? base.value->items : std::vector{base.value};
        for (const auto& each : bases) {
            if (each->kind == Yaml::Kind::Map) {
                merge_one(map, *each);
            } else {
                problems_.push_back({base.at, join_path(path(), "<<"), "expected a mapping or a list of mappings"});
            }
        }
    }
    void merge_one(Yaml& map, const Yaml& base) {
        auto& keys = open_.back().keys;
        for (const auto& member : base.members) {
            if (keys.emplace(member.key, member.at).second) map.members.push_back(member);
        }
    }

    std::vector<YamlProblem>& problems_;
    std::vector<Open> open_;
    std::map<YAML::anchor_t, YamlPtr> anchored_;  ///< complete ones only
    YamlPtr root_;
    int documents_ = 0;
};

}  // namespace

YamlFile parse_yaml(const std::string& text) {
    YamlFile file;
    TreeBuilder builder(file.problems);
    try {
        std::istringstream in(text);
        YAML::Parser parser(in);
        while (parser.HandleNextDocument(builder)) continue;
        file.root = builder.root();
        if (!file.root) file.root = std::make_shared<Yaml>();
    } catch (const Refused& refused) {
        file.problems.push_back(refused.problem);
    } catch (const YAML::Exception& problem) {
        file.problems.push_back({place_of(problem.mark), {}, "not valid YAML: " + problem.msg});
    }
    return file;
}

std::string join_path(const std::string& path, const std::string& key) { return path.empty() ? key : path + '.' + key; }

std::string join_path(const std::string& path, std::size_t index) { return path + '[' + std::to_string(index) + ']'; }

}  // namespace orbridge
