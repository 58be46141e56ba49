using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Core.Transfers;

/// <summary>The keys of the spool and of file transfers.</summary>
internal static class TransferSettings
{
    private const long MaxBytes = 1L << 50;
    private static readonly TimeSpan Year = TimeSpan.FromDays(366);

    /// <summary>The keys.</summary>
    public static readonly SettingGroup<TransferOptions> Keys = new SettingGroup<TransferOptions>("Store:Files:")
        .Text("Folder", _ => "DATA/spool", (o, v) => o.Folder = SettingText.FullPath(v),
            "Where files are kept, owner-only; several hosts that share a store need one folder that all of them see", "/var/lib/channelbridge/spool")
        .Size("MaxFileBytes", 1, MaxBytes, o => o.MaxFileBytes, (o, v) => o.MaxFileBytes = v, "The largest file")
        .Size("MaxChunkBytes", 1024, 64 << 20, o => o.MaxChunkBytes, (o, v) => o.MaxChunkBytes = (int)v,
            "The largest chunk, decoded; `Limits:MaxPayloadBytes` bounds what fits into a frame")
        .Number("MaxChunks", 1, 4_194_304, o => o.MaxChunks, (o, v) => o.MaxChunks = (int)v, "The most chunks of one file")
        .Size("AccountBytes", 1, MaxBytes, o => o.AccountBytes, (o, v) => o.AccountBytes = v,
            "Bytes that one account may have in the spool, those that its open transfers have declared included")
        .Number("AccountFiles", 1, int.MaxValue, o => o.AccountFiles, (o, v) => o.AccountFiles = (int)v, "Files that one account may have in the spool")
        .Number("AccountTransfers", 1, 1_000_000, o => o.AccountTransfers, (o, v) => o.AccountTransfers = (int)v, "Transfers that one account may have open")
        .Size("TotalBytes", 1, MaxBytes, o => o.TotalBytes, (o, v) => o.TotalBytes = v, "Bytes of all accounts together")
        .Number("TotalTransfers", 1, 1_000_000, o => o.TotalTransfers, (o, v) => o.TotalTransfers = (int)v, "Open transfers of all accounts together")
        .Size("MinFreeBytes", 0, MaxBytes, o => o.MinFreeBytes, (o, v) => o.MinFreeBytes = v,
            "What must stay free on the disk; a transfer that would go below it is refused before it begins")
        .Duration("AbandonAfter", TimeSpan.FromSeconds(1), Year, o => o.AbandonAfter, (o, v) => o.AbandonAfter = v, "After how long without a chunk a transfer is given up")
        .Duration("KeepFiles", TimeSpan.FromSeconds(1), Year, o => o.KeepFiles, (o, v) => o.KeepFiles = v,
            "How long a file is kept after its last use; longer while a message that isn't settled needs it")
        .Duration("SweepInterval", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), o => o.SweepInterval, (o, v) => o.SweepInterval = v,
            "How often abandoned transfers and unneeded files are looked for")
        .List("Roots", (o, v) => o.Roots = [.. v.Select(SettingText.FullPath)],
            "Folders from which an agent on this machine, or an operator, may send files by path", "/home/agent/out")
        .Size("MaxUrlBytes", 0, MaxBytes, o => o.MaxUrlBytes, (o, v) => o.MaxUrlBytes = v, "The largest file that is fetched from a URL that an agent or an operator sends")
        .Size("AgentInlineBytes", 0, 1 << 30, o => o.AgentInlineBytes, (o, v) => o.AgentInlineBytes = (int)v,
            "The largest file that is read into memory for an agent that takes bytes");
}
