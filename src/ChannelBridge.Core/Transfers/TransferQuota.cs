using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// What accounts have in the spool and have declared for it. Counted in memory, from the store at start; with several hosts each counts what it
/// has seen since, so together they may pass a quota by what they took at the same time.
/// </summary>
internal sealed class TransferQuota(TransferOptions options)
{
    private readonly ConcurrentDictionary<string, Use> _accounts = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private long _bytes;
    private int _transfers;
    private long _files;

    public (long Bytes, int Transfers, long Files) Totals
    {
        get
        {
            lock (_gate) return (_bytes, _transfers, _files);
        }
    }

    public (long Bytes, int Transfers, int Files) Of(string account)
    {
        lock (_gate) return _accounts.TryGetValue(account, out var use) ? (use.Bytes, use.Transfers, use.Files) : default;
    }

    /// <summary>Takes room for a transfer.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.QuotaExceeded"/>; nothing was taken.</exception>
    public void OpenTransfer(string account, long bytes)
    {
        lock (_gate)
        {
            var use = _accounts.GetOrAdd(account, static _ => new Use());
            if (use.Transfers >= options.AccountTransfers)
                throw TransferErrors.Quota("account-transfers",
                    $"the account has {use.Transfers} open transfers, which is its limit; complete or abort some", TimeSpan.FromSeconds(2));
            if (_transfers >= options.TotalTransfers)
                throw TransferErrors.Quota("total-transfers", $"{_transfers} transfers are open, which is the limit; try again later", TimeSpan.FromSeconds(5));
            CheckFile(use, bytes);
            use.Transfers++;
            use.Bytes += bytes;
            _transfers++;
            _bytes += bytes;
        }
    }

    /// <summary>Counts a transfer that was open before a restart.</summary>
    public void Restore(string account, long bytes)
    {
        lock (_gate)
        {
            var use = _accounts.GetOrAdd(account, static _ => new Use());
            use.Transfers++;
            use.Bytes += bytes;
            _transfers++;
            _bytes += bytes;
        }
    }

    /// <summary>Takes room for a file that comes without a transfer.</summary>
    /// <exception cref="BridgeException"><see cref="ErrorCodes.QuotaExceeded"/>.</exception>
    public void Check(string account, long bytes)
    {
        lock (_gate) CheckFile(_accounts.GetOrAdd(account, static _ => new Use()), bytes);
    }

    public void CloseTransfer(string account, long bytes)
    {
        lock (_gate)
        {
            var use = _accounts.GetOrAdd(account, static _ => new Use());
            use.Transfers--;
            use.Bytes -= bytes;
            _transfers--;
            _bytes -= bytes;
        }
    }

    public void AddFile(string account, long bytes)
    {
        lock (_gate)
        {
            var use = _accounts.GetOrAdd(account, static _ => new Use());
            use.Files++;
            use.Bytes += bytes;
            _files++;
            _bytes += bytes;
        }
    }

    public void RemoveFile(string account, long bytes)
    {
        lock (_gate)
        {
            var use = _accounts.GetOrAdd(account, static _ => new Use());
            use.Files--;
            use.Bytes -= bytes;
            _files--;
            _bytes -= bytes;
        }
    }

    private void CheckFile(Use use, long bytes)
    {
        if (use.Files + use.Transfers >= options.AccountFiles)
            throw TransferErrors.Quota("account-files",
                $"the account has {use.Files} files in the spool and {use.Transfers} open transfers; its limit is {options.AccountFiles} files (Store:Files:AccountFiles)");
        if (bytes > options.AccountBytes - use.Bytes)
            throw TransferErrors.Quota("account-bytes",
                $"the account has {use.Bytes} bytes in the spool and its limit is {options.AccountBytes}: {bytes} more don't fit (Store:Files:AccountBytes)");
        if (bytes > options.TotalBytes - _bytes)
            throw TransferErrors.Quota("total-bytes", $"the spool holds {_bytes} bytes and its limit is {options.TotalBytes}: {bytes} more don't fit (Store:Files:TotalBytes)");
    }

    private sealed class Use
    {
        public long Bytes { get; set; }

        public int Transfers { get; set; }

        public int Files { get; set; }
    }
}
