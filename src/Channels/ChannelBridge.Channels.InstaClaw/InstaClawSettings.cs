using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>What stands under <c>Channels:InstaClaw</c>, and the names that the platform's own plugin gives to some of it in the environment.</summary>
internal static class InstaClawSettings
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Year = TimeSpan.FromDays(366);

    /// <summary>The channel's settings. Times in the other plugin's variables are bare milliseconds.</summary>
    public static readonly ChannelSettings<InstaClawOptions> All = new ChannelSettings<InstaClawOptions>("InstaClaw", Channel)
        .WithDefaults((options, reader) =>
        {
            options.Agent = reader.DefaultAgent;
            options.BaseFolder = reader.Facts.DataDirectory ?? options.BaseFolder;
            options.RefusedArtifacts = [.. reader.Facts.OwnFiles];
        })
        .WithAccounts<InstaClawAccountOptions>(Account, options => options.Accounts)
        .WithAccountKey(AccountIds.Key)
        .WithAlias("INSTACLAW_WS_URL", "WsUrl")
        .WithAlias("INSTACLAW_HEARTBEAT_INTERVAL", "HeartbeatInterval", "ms")
        .WithAlias("INSTACLAW_TIMEOUT_THRESHOLD", "TimeoutThreshold", "ms")
        .WithAlias("SDK_REQUEST_TIMEOUT", "RequestTimeout", "ms")
        .WithAlias("MAX_CONCURRENT_REQUESTS", "MaxConcurrentRequests")
        .WithAlias("INSTACLAW_ARTIFACT_UPLOAD_AND_BIND_URL", "ArtifactUploadAndBindUrl")
        .WithAlias("INSTACLAW_PROFILE_CREATE_URL", "ProfileCreateUrl")
        .WithAlias("INSTACLAW_TASK_API_BASE_URL", "TaskApiBaseUrl")
        .WithMending(Secure)
        .WithCheck(new InstaClawOptionsValidator());

    private static void Channel(SettingGroup<InstaClawOptions> keys) => keys
        .Flag("Enabled", o => o.IsOn, (o, v) => o.Enabled = v, "Whether the channel runs; on by itself as soon as a WsUrl is named")
        .Text("WsUrl", o => o.WsUrl, (o, v) => o.WsUrl = v,
            "The platform's broker, `wss://…`; `ws://` to loopback only", "wss://claw.example.com/ws/chat")
        .Text("ProfileCreateUrl", o => o.ProfileCreateUrl, (o, v) => o.ProfileCreateUrl = v,
            "Where the platform registers an identity; none: `/profiles/create` at the broker's host", "https://claw.example.com/profiles/create")
        .Text("TaskApiBaseUrl", o => o.TaskApiBaseUrl, (o, v) => o.TaskApiBaseUrl = v,
            "The task pool's API; none: the broker's host", "https://claw.example.com")
        .Text("ArtifactUploadAndBindUrl", o => o.ArtifactUploadAndBindUrl, (o, v) => o.ArtifactUploadAndBindUrl = v,
            "Where artifacts are posted; none: `/artifact/upload-and-bind` at the broker's host", "https://claw.example.com/artifact/upload-and-bind")
        .Text("TaskListPath", o => o.TaskListPath, (o, v) => o.TaskListPath = v, "The task list's path under TaskApiBaseUrl", "/tasks")
        .Text("GrabTaskPath", o => o.GrabTaskPath, (o, v) => o.GrabTaskPath = v,
            "The path by which a task is taken", "/tasks/{task_id}/grab")
        .Text("DeliverablePath", o => o.DeliverablePath, (o, v) => o.DeliverablePath = v,
            "The path to which a task's result is posted", "/tasks/{task_id}/deliverables")
        .Text("FileUrlTemplate", o => o.FileUrlTemplate, (o, v) => o.FileUrlTemplate = v,
            "The address of a file that the platform names by id; none: the agent is told the id only", "https://claw.example.com/files/{file_id}")
        .Flag("AllowPlaintext", o => o.AllowPlaintext, (o, v) => o.AllowPlaintext = v,
            "True: `ws://` and `http://` may lead to other machines, where secrets and messages can be read on the way")
        .Text("BaseFolder", o => o.BaseFolder, (o, v) => o.BaseFolder = SettingText.FullPath(v),
            "The folder that holds `.insta` (the profile, a secret); none: the data folder", "/var/lib/channelbridge")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers")
        .Text("Instructions", o => o.Instructions, (o, v) => o.Instructions = v,
            "What the agent is told beside each message; none: the built-in text (docs/instaclaw.md), `off`: nothing. `{account}`, "
                + "`{session}`, `{name}`, `{description}`, `{identity}` and `{tools}` are filled in", "You are {name}. {tools}")
        .Duration("HeartbeatInterval", Millisecond * 10, Hour, o => o.HeartbeatInterval, (o, v) => o.HeartbeatInterval = v,
            "How often the broker is pinged")
        .Number("MaxMissedPongs", 1, 1000, o => o.MaxMissedPongs, (o, v) => o.MaxMissedPongs = (int)v,
            "Pings in a row without any sign of life after which the connection is closed")
        .Duration("TimeoutThreshold", TimeSpan.Zero, Hour, o => o.TimeoutThreshold, (o, v) => o.TimeoutThreshold = v,
            "Silence after which the connection is closed even before MaxMissedPongs; `0ms`: the missed pongs alone decide")
        .Choice<PingKind>("Ping", o => o.Ping, (o, v) => o.Ping = v,
            "What a ping is: a WebSocket ping frame, a message of type PING, or both")
        .Duration("ConnectTimeout", Millisecond * 100, Hour, o => o.ConnectTimeout, (o, v) => o.ConnectTimeout = v,
            "How long one attempt to connect may take")
        .Duration("ReconnectBaseDelay", Millisecond, Hour, o => o.ReconnectBaseDelay, (o, v) => o.ReconnectBaseDelay = v,
            "The ceiling of the wait before the first reconnect; it doubles with each failure")
        .Duration("ReconnectMaxDelay", Millisecond, Hour, o => o.ReconnectMaxDelay, (o, v) => o.ReconnectMaxDelay = v,
            "The highest ceiling of that wait")
        .Duration("StableAfter", TimeSpan.Zero, Hour, o => o.StableAfter, (o, v) => o.StableAfter = v,
            "How long a connection must have held for the back-off to begin anew")
        .Number("MaxConcurrentRequests", 1, 10_000, o => o.MaxConcurrentRequests, (o, v) => o.MaxConcurrentRequests = (int)v,
            "Requests of an account that run at once")
        .Number("MaxQueuedRequests", 0, 100_000, o => o.MaxQueuedRequests, (o, v) => o.MaxQueuedRequests = (int)v,
            "Requests of an account that may wait behind them; one more fails with `too_many_requests`")
        .Duration("RequestTimeout", Millisecond * 100, Year, o => o.RequestTimeout, (o, v) => o.RequestTimeout = v,
            "How long a request may take, waiting included")
        .Number("DeltaGraphemes", 1, 100_000, o => o.DeltaGraphemes, (o, v) => o.DeltaGraphemes = (int)v,
            "The most characters (graphemes) of one text delta")
        .Duration("DeltaDelay", TimeSpan.Zero, Hour, o => o.DeltaDelay, (o, v) => o.DeltaDelay = v,
            "How long a delta that isn't full waits for more text")
        .Choice<DisconnectMode>("OnDisconnect", o => o.OnDisconnect, (o, v) => o.OnDisconnect = v,
            "What becomes of running requests when the broker's connection is lost")
        .Duration("DedupeWindow", TimeSpan.FromMinutes(1), Year, o => o.DedupeWindow, (o, v) => o.DedupeWindow = v,
            "How long a `messageId` is remembered")
        .Duration("SessionTimeToLive", TimeSpan.FromMinutes(1), Year, o => o.SessionTimeToLive, (o, v) => o.SessionTimeToLive = v,
            "How long a session that is silent keeps its conversation")
        .Size("MaxMessageBytes", 1024, 1 << 30, o => o.MaxMessageBytes, (o, v) => o.MaxMessageBytes = (int)v,
            "The largest message that the platform may send")
        .Duration("ProfilePollInterval", Millisecond * 50, Hour, o => o.ProfilePollInterval, (o, v) => o.ProfilePollInterval = v,
            "How often the profile is looked for")
        .Flag("AutoPropose", o => o.AutoPropose, (o, v) => o.AutoPropose = v, "Without a profile the agent is asked to propose one")
        .Duration("ReproposeDelay", TimeSpan.Zero, Year, o => o.ReproposeDelay, (o, v) => o.ReproposeDelay = v,
            "How long a cancelled proposal stays cancelled before the agent is asked again")
        .Duration("ProposeTimeout", Second, Hour, o => o.ProposeTimeout, (o, v) => o.ProposeTimeout = v,
            "How long the agent may take over a proposal")
        .Duration("HttpTimeout", Millisecond * 100, Hour, o => o.HttpTimeout, (o, v) => o.HttpTimeout = v,
            "How long a call to the platform may take; an upload ten times that")
        .List("ArtifactRoots", (o, v) => o.ArtifactRoots = [.. v.Select(SettingText.FullPath)],
            "Folders from which the agent may post artifacts; none: `.insta/artifacts` of the account", "/srv/results")
        .Size("MaxArtifactBytes", 1, 1L << 40, o => o.MaxArtifactBytes, (o, v) => o.MaxArtifactBytes = v, "The largest artifact");

    /// <summary>
    /// The platform's own list of settings names one address at the broker's host with http. There is a TLS listener, the broker's; so https is meant, and secrets
    /// aren't sent in the clear. Said once.
    /// </summary>
    private static void Secure(InstaClawOptions options, SettingsReader reader)
    {
        if (options.AllowPlaintext) return;
        var brokers = options.Accounts.Values.Select(account => account.WsUrl).Append(options.WsUrl)
            .Select(url => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == "wss" ? uri.Host : null).OfType<string>()
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var changed = new List<string>();
        options.ProfileCreateUrl = Upgrade("ProfileCreateUrl", options.ProfileCreateUrl);
        options.TaskApiBaseUrl = Upgrade("TaskApiBaseUrl", options.TaskApiBaseUrl);
        options.ArtifactUploadAndBindUrl = Upgrade("ArtifactUploadAndBindUrl", options.ArtifactUploadAndBindUrl);
        if (changed.Count > 0)
            reader.Warn(
                $"{string.Join(", ", changed)}: http:// at the broker's host is taken for https://, so that no secret goes in the clear; write https://");

        string? Upgrade(string key, string? url)
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme != "http" || uri.IsLoopback || !brokers.Contains(uri.Host)) return url;
            changed.Add($"{InstaClawOptions.Section}:{key}");
            return new UriBuilder(uri) { Scheme = "https", Port = uri.IsDefaultPort ? -1 : uri.Port }.Uri.AbsoluteUri;
        }
    }

    private static void Account(SettingGroup<InstaClawAccountOptions> keys) => keys
        .Flag("Enabled", o => o.Enabled, (o, v) => o.Enabled = v, "False: the account neither connects nor registers")
        .Text("WsUrl", o => o.WsUrl, (o, v) => o.WsUrl = v, "As for the channel", "wss://claw.example.com/ws/chat")
        .Text("BaseFolder", o => o.BaseFolder, (o, v) => o.BaseFolder = SettingText.FullPath(v),
            "The folder that holds the account's `.insta`; none: `accounts/ID` in the channel's", "/var/lib/channelbridge/shop")
        .Agent("Agent", (o, v) => o.Agent = v, "The agent that answers the account's users", "as the channel");
}
