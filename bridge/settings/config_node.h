#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/result.h"
#include "bridge/core/secret.h"

namespace orbridge {

/// Everything wrong with a configuration, all at once. `config/orbridge.yaml:14:5: targets.x.ulr: unknown key, …`
class Complaints {
public:
    void add(std::string where, std::string path, std::string what);
    bool empty() const { return lines_.empty(); }
    /// Adds those of another.
    void take(Complaints other);
    /// In order of file, line and column.
    std::vector<std::string> lines() const;

private:
    struct Line {
        std::string where, path, what;
    };
    std::vector<Line> lines_;
};

/// A place in a YAML file that knows where it stands. Every reading call that fails adds a complaint and
/// returns the fallback, so that one pass finds all mistakes. Doubled keys are mistakes (yaml-cpp keeps
/// both), and so are keys nobody asked for: call done() on each mapping when all its keys were read.
/// `${NAME}` in any scalar is replaced from the environment (`$${` is a literal `${`). Complaints quote what
/// stands in the file, never what came from the environment or another file. A key without a value counts
/// as not given. After one complaint about a value there is none about what should have been in it.
/// Values are: text; durations `500ms 20s 5m 1h 3d`; sizes `512B 64KiB 1MiB` ; booleans true/false.
/// One thread; must not outlive the Complaints it was made with.
class ConfigNode {
public:
    /// A file that cannot be read or parsed leaves a complaint and an absent node.
    static ConfigNode load(const std::string& file, Complaints& complaints);
    static ConfigNode parse(const std::string& text, const std::string& name, Complaints& complaints);

    bool present() const;
    bool is_map() const;
    bool is_list() const;
    bool is_scalar() const;
    const std::string& path() const;  ///< `targets.on-object.url`
    std::string where() const;        ///< `file:line:column`
    const std::string& file() const;

    /// Member; absent node if missing. Marks the key as asked for.
    ConfigNode operator[](std::string_view key) const;
    /// All members in file order, all marked as asked for.
    std::vector<std::pair<std::string, ConfigNode>> entries() const;
    std::vector<ConfigNode> items() const;
    /// The items of a list; of anything else the node itself; of an absent node nothing.
    std::vector<ConfigNode> one_or_list() const;

    // Of a member. Without a fallback the key is required.
    std::string text(std::string_view key) const;
    std::string text(std::string_view key, const std::string& fallback) const;
    /// Complains unless it is one of the words; the complaint lists them.
    std::string word(std::string_view key, const std::vector<std::string>& words, const std::string& fallback) const;
    bool flag(std::string_view key, bool fallback) const;
    std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most) const;
    double number(std::string_view key, double fallback, double least, double most) const;
    milliseconds duration(std::string_view key, milliseconds fallback, milliseconds least, milliseconds most) const;
    std::size_t size(std::string_view key, std::size_t fallback, std::size_t least, std::size_t most) const;
    /// A list of durations; may be empty.
    std::vector<milliseconds> durations(std::string_view key, const std::vector<milliseconds>& fallback,
                                        milliseconds least, milliseconds most) const;
    /// A list of texts, or one text; none of them empty.
    std::vector<std::string> texts(std::string_view key, const std::vector<std::string>& fallback) const;
    /// http(s) URL with a host; trailing slashes are cut.
    std::string url(std::string_view key, bool required) const;
    /// From `key:` or `key_file:` (its first line; relative to the configuration file). Both: a mistake.
    Secret secret(std::string_view key, bool required) const;
    /// Like secret(), but `key:` and `key_file:` may be lists (rotation).
    std::vector<Secret> secrets(std::string_view key, bool required) const;

    // Of this node itself.
    std::optional<std::string> as_text() const;
    /// `name` in the folder of the configuration file; an absolute name stays.
    std::string beside(const std::string& name) const;
    /// Changes when anything in it changes, what it takes from the environment and `…_file`s included.
    std::string fingerprint() const;

    void complain(const std::string& what) const;
    /// Complains about every key of this mapping that was not asked for, with the nearest known one.
    void done() const;

private:
    struct Impl;
    struct Range;
    explicit ConfigNode(std::shared_ptr<Impl> impl);
    bool must_be_map() const;
    ConfigNode element(std::size_t index) const;
    template <class Parse, class Outside>
    auto parsed(Parse read, Outside outside, const Range& range) const;
    std::optional<Secret> as_secret() const;
    std::optional<Secret> as_secret_file() const;
    std::vector<Secret> read_secrets(std::string_view key, bool required, bool many) const;
    std::shared_ptr<Impl> impl_;
};

}  // namespace orbridge
