#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

/// YAML as ConfigNode needs it: every value and every key with its place, nothing interpreted.
/// (YAML::Node loses the places of keys and the second of doubled keys.)
namespace orbridge {

struct YamlPlace {
    int line = 1;
    int column = 1;
};

struct Yaml;
using YamlPtr = std::shared_ptr<const Yaml>;

struct Yaml {
    enum class Kind { Null, Scalar, List, Map };
    struct Member {
        std::string key;
        YamlPlace at;
        YamlPtr value;
    };
    Kind kind = Kind::Null;
    YamlPlace at;
    std::string text;             ///< of a scalar
    std::vector<Member> members;  ///< of a map, in file order, each key once
    std::vector<YamlPtr> items;   ///< of a list
    std::size_t weight = 1;       ///< values in it, aliases expanded
};

struct YamlProblem {
    YamlPlace at;
    std::string path;
    std::string what;
};

struct YamlFile {
    YamlPtr root;  ///< nothing if it could not be parsed to its end
    std::vector<YamlProblem> problems;
};

inline constexpr std::size_t kYamlBytesMax = 1 << 20;
inline constexpr std::size_t kYamlDepthMax = 32;
inline constexpr std::size_t kYamlValuesMax = 100'000;

/// One document. Aliases are shared, not copied; `<<` takes a mapping or a list of them. Too deep, too
/// many values and recursive aliases end the parse; doubled keys are problems and the first one counts.
YamlFile parse_yaml(const std::string& text);

/// `targets` + `x` is `targets.x`.
std::string join_path(const std::string& path, const std::string& key);
/// `to` + 2 is `to[2]`.
std::string join_path(const std::string& path, std::size_t index);

}  // namespace orbridge
