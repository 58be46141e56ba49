namespace ChannelBridge.Core.Transfers;

/// <summary>Settings of file transfers and of the spool (<c>Store:Files</c>).</summary>
public sealed class TransferOptions
{
    /// <summary>The spool folder, absolute; made owner-only. Several hosts that share a store need one folder that all of them see.</summary>
    public string Folder { get; set; } = "";

    /// <summary>The largest file. Default 16 GiB.</summary>
    public long MaxFileBytes { get; set; } = 16L << 30;

    /// <summary>The largest chunk, decoded. Default 24 MiB; a door's limit on messages may be lower.</summary>
    public int MaxChunkBytes { get; set; } = 24 << 20;

    /// <summary>The most chunks of one file. Default 262,144: a file of 64 GiB in chunks of 256 KiB.</summary>
    public int MaxChunks { get; set; } = 262_144;

    /// <summary>Bytes that one account may have in the spool, with what its open transfers have declared. Default 64 GiB.</summary>
    public long AccountBytes { get; set; } = 64L << 30;

    /// <summary>Files that one account may have in the spool. Default 100,000.</summary>
    public int AccountFiles { get; set; } = 100_000;

    /// <summary>Transfers that one account may have open. Default 4,096.</summary>
    public int AccountTransfers { get; set; } = 4096;

    /// <summary>Bytes of all accounts together. Default 256 GiB.</summary>
    public long TotalBytes { get; set; } = 256L << 30;

    /// <summary>Open transfers of all accounts together. Default 16,384.</summary>
    public int TotalTransfers { get; set; } = 16_384;

    /// <summary>What must stay free on the spool's disk: a transfer that would go below it is refused before it begins. Default 64 MiB.</summary>
    public long MinFreeBytes { get; set; } = 64L << 20;

    /// <summary>After how long without a chunk a transfer is given up and its bytes are removed. Default 24 h.</summary>
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a file is kept after its transfer or its last use; longer while a message that isn't settled refers to it. Default 24 h.</summary>
    public TimeSpan KeepFiles { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How often abandoned transfers and unreferenced files are looked for. Default 5 min.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Folders from which an agent on this machine, or an operator, may send files by their path. Default none.</summary>
    public IList<string> Roots { get; set; } = [];

    /// <summary>Files and folders that are never sent by their path, wherever <see cref="Roots"/> lead. The host names its own secrets.</summary>
    public IList<string> Refused { get; set; } = [];

    /// <summary>The largest file that is fetched from a URL that an agent or an operator sends; it streams into the spool. Default 64 MiB.</summary>
    public long MaxUrlBytes { get; set; } = 64 << 20;

    /// <summary>The largest file that is read into memory for an agent that takes bytes. Default 32 MiB.</summary>
    public int AgentInlineBytes { get; set; } = 32 << 20;
}
