#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace orbridge::testing {

/// A disk under SQLite that can fail and lose its power: a VFS over the default one, registered by its name as
/// long as it lives. Files lie where they always do; besides, it knows of each what a power cut would leave.
/// It syncs nothing for real, which is the machine's business, and makes hundreds of cuts cheap.
///
/// What it takes to be true of disks: a sync that returned holds; before it, each sector of 512 bytes of each
/// write may have arrived or not, whatever came before or after; what a failed sync covered is never tried
/// again by the kernel, and may or may not be on the disk.
class PowerLossVfs {
public:
    enum class Call { Open, Read, Write, Truncate, Sync, Delete, Access, Size, Lock, Map };

    PowerLossVfs(std::string name, std::uint64_t seed);
    ~PowerLossVfs();
    PowerLossVfs(const PowerLossVfs&) = delete;
    PowerLossVfs& operator=(const PowerLossVfs&) = delete;
    const std::string& name() const { return name_; }

    /// The power goes at the n-th writing call from now on: it may happen in part, and no call works after it.
    void cut_at_write(std::uint64_t n);
    bool is_cut() const;
    /// With every file closed: makes of the files what is left of them. The power is on again.
    void restore_power();

    /// Every call for which this gives a code fails with it.
    using Fault = std::function<std::optional<int>(Call call, const std::string& path)>;
    void fail(Fault fault);
    /// The n-th call from now on fails, once; later ones do not.
    void fail_once_at(std::uint64_t n, std::function<int(Call)> code);
    bool failed_once() const;
    void heal();

private:
    struct Write {
        std::int64_t at = 0;
        std::string bytes;
        std::optional<std::int64_t> truncated_to{};  ///< it is a truncation instead
    };
    struct Track {
        std::string durable;                  ///< what a cut certainly leaves
        std::vector<Write> pending;           ///< since the last sync
        bool entry_durable = true;            ///< its name in the folder
        bool deleted = false;                 ///< not durably
        std::optional<std::string> before{};  ///< what the name stood for before it was made anew
    };
    struct File;
    friend struct VfsCalls;

    std::optional<int> gate(Call call, const std::string& path);
    Track& track_of(const std::string& path, bool created);
    void sync_folder();
    void keep(Track& track, Write write, bool whole);
    static void apply(std::string& image, const Write& write);
    std::vector<Write> torn(const Write& write);
    bool chance(double share);

    const std::string name_;
    sqlite3_vfs* const base_;
    sqlite3_vfs vfs_{};
    mutable std::mutex mutex_;
    std::mt19937_64 random_;
    std::map<std::string, Track> tracks_;
    Fault fault_;
    std::function<int(Call)> once_;
    std::uint64_t once_in_ = 0, cut_in_ = 0;
    bool cut_ = false, failed_once_ = false;
};

}  // namespace orbridge::testing
