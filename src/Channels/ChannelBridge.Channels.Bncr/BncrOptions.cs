namespace ChannelBridge.Channels.Bncr;

/// <summary>
/// Settings of the bncr channel (<c>Channels:Bncr</c>). Policies govern the host's own doors only; what comes through the OpenClaw gateway is
/// governed by the gateway's own settings.
/// </summary>
public sealed class BncrOptions
{
    /// <summary>The section that the host binds: <c>Channels:Bncr</c>.</summary>
    public const string Section = "Channels:Bncr";

    /// <summary>False: every inbound message is answered <c>accepted:false, reason:"account disabled"</c>. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The agent that answers messages of the host's own doors. Default <c>echo</c>; messages of the gateway door always go to <c>openclaw</c>.</summary>
    public string Agent { get; set; } = "echo";

    /// <summary>
    /// The agent id inside session keys (<c>agent:ID:bncr:direct:…</c>) of the host's own doors. Default <c>main</c>. Letters, digits, <c>_</c> and
    /// <c>-</c>, at most 64.
    /// </summary>
    public string SessionAgentId { get; set; } = "main";

    /// <summary>
    /// What the names of events to clients of the host's own doors begin with: <c>bncr</c> (default) or <c>plugin.bncr</c>. A client may ask for the
    /// other one by <c>bncr.connect {eventPrefix}</c>; through the gateway it is always <c>plugin.bncr</c>.
    /// </summary>
    public string EventPrefix { get; set; } = "bncr";

    /// <summary>Who may write in private. Default open: each bridge holds a token that you issued.</summary>
    public BncrPolicyMode DmPolicy { get; set; } = BncrPolicyMode.Open;

    /// <summary>Who may write in groups. Default open.</summary>
    public BncrPolicyMode GroupPolicy { get; set; } = BncrPolicyMode.Open;

    /// <summary>
    /// Conversations that <see cref="DmPolicy"/> <c>allowlist</c> lets through, in any target form, e.g. <c>Bncr:qq:888888</c>; <c>*</c> stands for any
    /// user, any group, or alone for everybody. Compared exactly.
    /// </summary>
    public IList<string> AllowFrom { get; set; } = [];

    /// <summary>The same for <see cref="GroupPolicy"/>, e.g. <c>Bncr:qq:123456:*</c> for everybody in one group.</summary>
    public IList<string> GroupAllowFrom { get; set; } = [];

    /// <summary>Whether clients must ack. Default auto.</summary>
    public BncrAckMode OutboundRequireAck { get; set; } = BncrAckMode.Auto;

    /// <summary>How long a <c>msgId</c> is remembered. Default 30 days; 1 minute to 366 days.</summary>
    public TimeSpan DedupeWindow { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long equal content of a route without a <c>msgId</c> counts as one message. Default 2 s; 0 s to 10 minutes.</summary>
    public TimeSpan ContentDedupeWindow { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The largest file that may come inline as base64, decoded. Default 30 MiB; at most 64 MiB. The door's frame limit may be lower.</summary>
    public int MaxInlineMediaBytes { get; set; } = 30 * 1024 * 1024;

    /// <summary>
    /// Files up to this size are pushed inside the message as base64, larger ones in chunks before it. Default 0: all in chunks, as old clients expect. A
    /// client may ask for another bound by <c>bncr.connect {inlineMediaBytes}</c>. At most 16 MiB.
    /// </summary>
    public int InlinePushBytes { get; set; }

    /// <summary>The longest text, in UTF-16 characters. Default 8 Mi.</summary>
    public int MaxTextLength { get; set; } = 8 * 1024 * 1024;

    /// <summary>
    /// For how long an account whose client was cut off (no orderly close) is kept for that client's access token, so that another token can't slip in
    /// while it reconnects. Default 15 s; 0 s to 10 minutes.
    /// </summary>
    public TimeSpan ReconnectGrace { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How many accounts may exist; more are refused as busy. Each costs about 1 KiB of memory. Default 20,000.</summary>
    public int MaxAccounts { get; set; } = 20_000;

    /// <summary>How long <c>bncr.rpc.call</c> waits for a client's response. Default 15 s; 100 ms to 5 minutes.</summary>
    public TimeSpan RpcTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// False (default): a proactive send goes only to conversations that have written before, else <c>target not found in known sessions</c>.
    /// </summary>
    public bool AllowUnknownTargets { get; set; }

    /// <summary>What differs per account. Ids are case-insensitive; their case here is the one that is shown.</summary>
    public IDictionary<string, BncrAccountOptions> Accounts { get; set; } = new Dictionary<string, BncrAccountOptions>(StringComparer.OrdinalIgnoreCase);
}
