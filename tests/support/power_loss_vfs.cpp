#include "tests/support/power_loss_vfs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace orbridge::testing {
namespace {

constexpr std::int64_t kSector = 512;

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool writes(PowerLossVfs::Call call) {
    using Call = PowerLossVfs::Call;
    return call == Call::Write || call == Call::Truncate || call == Call::Sync || call == Call::Delete;
}

}  // namespace

// ---- SQLite's side: files that pass on what the gate lets through ------------------------------------

/// The real file follows it in memory.
struct PowerLossVfs::File {
    sqlite3_file base;
    PowerLossVfs* disk;
    const char* path;  // SQLite keeps it as long as the file is open; null for temporary files
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct VfsCalls {
    using Disk = PowerLossVfs;
    using Call = Disk::Call;
    static Disk::File& of(sqlite3_file* file) { return *reinterpret_cast<Disk::File*>(file); }
    static sqlite3_file* real(sqlite3_file* file) { return of(file).real(); }
    static std::optional<int> gate(sqlite3_file* file, Call call) {
        auto& mine = of(file);
        return mine.path == nullptr ? std::nullopt : mine.disk->gate(call, mine.path);
    }

    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
        auto& disk = *static_cast<Disk*>(vfs->pAppData);
        auto& mine = of(file);
        mine.base.pMethods = nullptr;
        mine.disk = &disk;
        mine.path = path;
        const std::lock_guard lock(disk.mutex_);
        if (path != nullptr) {
            if (const auto code = disk.gate(Call::Open, path)) return *code;
        }
        const bool there = path != nullptr && std::filesystem::exists(path);
        const int code = disk.base_->xOpen(disk.base_, path, mine.real(), flags, out);
        if (code == SQLITE_OK) mine.base.pMethods = methods();
        if (code == SQLITE_OK && path != nullptr) disk.track_of(path, !there);
        return code;
    }
    static int remove(sqlite3_vfs* vfs, const char* path, int sync) {
        auto& disk = *static_cast<Disk*>(vfs->pAppData);
        const std::lock_guard lock(disk.mutex_);
        if (const auto code = disk.gate(Call::Delete, path)) return *code;
        const int code = disk.base_->xDelete(disk.base_, path, sync);
        const auto track = disk.tracks_.find(path);
        if (code != SQLITE_OK || track == disk.tracks_.end()) return code;
        if (sync != 0)
            disk.tracks_.erase(track);
        else
            track->second.deleted = true;
        return code;
    }
    static int access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
        auto& disk = *static_cast<Disk*>(vfs->pAppData);
        const std::lock_guard lock(disk.mutex_);
        if (const auto code = disk.gate(Call::Access, path)) return *code;
        return disk.base_->xAccess(disk.base_, path, flags, out);
    }
    static int full_name(sqlite3_vfs* vfs, const char* path, int size, char* out) {
        auto* base = static_cast<Disk*>(vfs->pAppData)->base_;
        return base->xFullPathname(base, path, size, out);
    }

    static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
    static int read(sqlite3_file* file, void* to, int count, sqlite3_int64 at) {
        const std::lock_guard lock(of(file).disk->mutex_);
        if (const auto code = gate(file, Call::Read)) return *code;
        return real(file)->pMethods->xRead(real(file), to, count, at);
    }
    static int write(sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
        auto& mine = of(file);
        const std::lock_guard lock(mine.disk->mutex_);
        Disk::Write change{at, {static_cast<const char*>(from), static_cast<std::size_t>(count)}};
        const bool was_cut = mine.disk->cut_;
        const auto code = gate(file, Call::Write);
        const bool just_cut = mine.disk->cut_ && !was_cut;
        if (mine.path != nullptr && (!code || just_cut))
            mine.disk->keep(mine.disk->track_of(mine.path, false), std::move(change), !code);
        if (code) return *code;
        return mine.real()->pMethods->xWrite(mine.real(), from, count, at);
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        auto& mine = of(file);
        const std::lock_guard lock(mine.disk->mutex_);
        if (const auto code = gate(file, Call::Truncate)) return *code;
        if (mine.path != nullptr) mine.disk->keep(mine.disk->track_of(mine.path, false), {0, {}, size}, true);
        return mine.real()->pMethods->xTruncate(mine.real(), size);
    }
    static int sync(sqlite3_file* file, int /*flags*/) {
        auto& mine = of(file);
        const std::lock_guard lock(mine.disk->mutex_);
        if (mine.path == nullptr) return SQLITE_OK;
        auto& track = mine.disk->track_of(mine.path, false);
        const auto code = gate(file, Call::Sync);
        if (mine.disk->cut_) return code.value_or(SQLITE_IOERR_FSYNC);
        for (const auto& change : std::exchange(track.pending, {})) {
            if (!code)
                Disk::apply(track.durable, change);
            else
                for (const auto& part : mine.disk->torn(change)) Disk::apply(track.durable, part);
        }
        if (code) return *code;
        if (!track.entry_durable) mine.disk->sync_folder();
        return SQLITE_OK;
    }
    static int size(sqlite3_file* file, sqlite3_int64* out) {
        const std::lock_guard lock(of(file).disk->mutex_);
        if (const auto code = gate(file, Call::Size)) return *code;
        return real(file)->pMethods->xFileSize(real(file), out);
    }
    static int lock(sqlite3_file* file, int level) {
        {
            const std::lock_guard held(of(file).disk->mutex_);
            if (const auto code = gate(file, Call::Lock)) return *code;
        }
        return real(file)->pMethods->xLock(real(file), level);
    }
    static int unlock(sqlite3_file* file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }
    static int reserved(sqlite3_file* file, int* out) {
        return real(file)->pMethods->xCheckReservedLock(real(file), out);
    }
    static int control(sqlite3_file* file, int what, void* value) {
        return real(file)->pMethods->xFileControl(real(file), what, value);
    }
    static int sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
    static int traits(sqlite3_file* file) { return real(file)->pMethods->xDeviceCharacteristics(real(file)); }
    static int map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
        {
            const std::lock_guard held(of(file).disk->mutex_);
            if (const auto code = gate(file, Call::Map)) return *code;
        }
        return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
    }
    static int map_lock(sqlite3_file* file, int at, int count, int flags) {
        return real(file)->pMethods->xShmLock(real(file), at, count, flags);
    }
    static void map_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
    static int unmap(sqlite3_file* file, int remove_it) {
        return real(file)->pMethods->xShmUnmap(real(file), remove_it);
    }

    static const sqlite3_io_methods* methods() {
        static const sqlite3_io_methods kMethods = {2,        close,       read,     write,   truncate, sync,   size,
                                                    lock,     unlock,      reserved, control, sector,   traits, map,
                                                    map_lock, map_barrier, unmap,    nullptr, nullptr};
        return &kMethods;
    }
};

PowerLossVfs::PowerLossVfs(std::string name, std::uint64_t seed)
    : name_(std::move(name)), base_(sqlite3_vfs_find(nullptr)), random_(seed) {
    vfs_ = *base_;
    vfs_.iVersion = 2;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = VfsCalls::open;
    vfs_.xDelete = VfsCalls::remove;
    vfs_.xAccess = VfsCalls::access;
    vfs_.xFullPathname = VfsCalls::full_name;
    sqlite3_vfs_register(&vfs_, 0);
}

PowerLossVfs::~PowerLossVfs() { sqlite3_vfs_unregister(&vfs_); }

// ---- faults ---------------------------------------------------------------------------------------------

void PowerLossVfs::cut_at_write(std::uint64_t n) {
    const std::lock_guard lock(mutex_);
    cut_in_ = n;
}

bool PowerLossVfs::is_cut() const {
    const std::lock_guard lock(mutex_);
    return cut_;
}

void PowerLossVfs::fail(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
}

void PowerLossVfs::fail_once_at(std::uint64_t n, std::function<int(Call)> code) {
    const std::lock_guard lock(mutex_);
    once_in_ = n;
    once_ = std::move(code);
    failed_once_ = false;
}

bool PowerLossVfs::failed_once() const {
    const std::lock_guard lock(mutex_);
    return failed_once_;
}

void PowerLossVfs::heal() {
    const std::lock_guard lock(mutex_);
    fault_ = nullptr;
    once_in_ = 0;
}

std::optional<int> PowerLossVfs::gate(Call call, const std::string& path) {
    if (cut_in_ > 0 && writes(call) && --cut_in_ == 0) cut_ = true;
    if (cut_) return SQLITE_IOERR;
    if (once_in_ > 0 && --once_in_ == 0) {
        failed_once_ = true;
        return once_(call);
    }
    return fault_ ? fault_(call, path) : std::nullopt;
}

// ---- what is on the disk ------------------------------------------------------------------------------

PowerLossVfs::Track& PowerLossVfs::track_of(const std::string& path, bool created) {
    const auto known = tracks_.find(path);
    if (known != tracks_.end() && !known->second.deleted && !created) return known->second;
    Track fresh;
    if (created) {
        fresh.entry_durable = false;
        if (known != tracks_.end()) fresh.before = known->second.durable;
    } else {
        fresh.durable = content_of(path);
    }
    return tracks_[path] = std::move(fresh);
}

void PowerLossVfs::keep(Track& track, Write write, bool whole) {
    if (whole) {
        track.pending.push_back(std::move(write));
    } else {
        for (auto& part : torn(write)) track.pending.push_back(std::move(part));
    }
}

/// As SQLite's own VFS does along with a new file's first sync. All files are in one folder.
void PowerLossVfs::sync_folder() {
    for (auto& [path, track] : tracks_) {
        track.entry_durable = true;
        track.before.reset();
    }
    for (auto track = tracks_.begin(); track != tracks_.end();)
        track = track->second.deleted ? tracks_.erase(track) : std::next(track);
}

void PowerLossVfs::apply(std::string& image, const Write& write) {
    if (write.truncated_to) return image.resize(static_cast<std::size_t>(*write.truncated_to));
    const auto at = static_cast<std::size_t>(write.at);
    image.resize(std::max(image.size(), at + write.bytes.size()));
    image.replace(at, write.bytes.size(), write.bytes);
}

/// What of a write arrived: all, nothing, or some of its sectors.
std::vector<PowerLossVfs::Write> PowerLossVfs::torn(const Write& write) {
    if (chance(0.4)) return {write};
    if (write.truncated_to || chance(0.5)) return {};
    std::vector<Write> parts;
    const auto size = static_cast<std::int64_t>(write.bytes.size());
    for (std::int64_t from = 0; from < size;) {
        const auto to = std::min(size, ((write.at + from) / kSector + 1) * kSector - write.at);
        if (chance(0.5))
            parts.push_back({write.at + from,
                             write.bytes.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from))});
        from = to;
    }
    return parts;
}

bool PowerLossVfs::chance(double share) { return std::uniform_real_distribution<>(0, 1)(random_) < share; }

void PowerLossVfs::restore_power() {
    const std::lock_guard lock(mutex_);
    for (auto& [path, track] : tracks_) {
        auto image = track.durable;
        for (const auto& write : track.pending)
            for (const auto& part : torn(write)) apply(image, part);
        const bool entry = track.entry_durable || chance(0.5);
        const bool gone = (track.deleted && chance(0.5)) || (!entry && !track.before);
        std::filesystem::remove(path);
        std::filesystem::remove(path + "-shm");
        if (gone) continue;
        std::ofstream(path, std::ios::binary | std::ios::trunc) << (entry ? image : *track.before);
    }
    tracks_.clear();
    cut_ = false;
    cut_in_ = 0;
}

}  // namespace orbridge::testing
