namespace ChannelBridge.Host.Commands;

/// <summary>Examples that stand under the help of each command; each is a line that works.</summary>
internal static class Examples
{
    /// <summary>The examples of a command.</summary>
    public static IReadOnlyList<string> Of(string command) => command switch
    {
        "serve" =>
        [
            "channelbridge serve",
            "channelbridge serve --urls http://127.0.0.1:7788 --data /var/lib/channelbridge --agent openclaw",
            "channelbridge serve --token-file /run/secrets/channelbridge-token --otlp http://127.0.0.1:4318",
            "CHANNELBRIDGE__LISTEN__URLS=http://127.0.0.1:9000 channelbridge serve",
        ],
        "demo" => ["channelbridge demo", "channelbridge demo --data ~/.channelbridge --agent openclaw"],
        "chat" =>
        [
            "channelbridge chat",
            "channelbridge chat --url ws://127.0.0.1:7788 --token-file /run/secrets/channelbridge-token --user alice",
            "echo hello | channelbridge chat",
        ],
        "diagnostics" => ["channelbridge diagnostics", "channelbridge diagnostics --json | jq .channels", "channelbridge diagnostics --watch"],
        "watch" => ["channelbridge watch", "channelbridge watch outbox.changed --json"],
        "send" =>
        [
            "channelbridge send --to Bncr:qq:888888 Hello",
            "channelbridge send --account shop --to Bncr:qq:123456:888888 --key order-4711 \"Your order is ready\"",
        ],
        "import" => ["channelbridge import ~/.openclaw/bncr-bridge-state.json --dry-run", "channelbridge import ~/.openclaw/bncr-bridge-state.json --data /var/lib/channelbridge"],
        _ => [],
    };
}
