using ChannelBridge.Channels.Bncr;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>What <c>serve</c> says first: what listens where, who answers, where the data lie, and how to chat.</summary>
internal static class Banner
{
    /// <summary>The last line, for programs that wait for it.</summary>
    public const string Ready = "ready";

    /// <summary>Writes it.</summary>
    public static void Write(
        TextWriter output, HostSettings settings, DataFolder folder, string store, IReadOnlyCollection<string> addresses, IEnumerable<(OwnAddress Address, string Url)> own,
        BncrOptions bncr)
    {
        var ownAddresses = own.ToArray();
        output.WriteLine($"ChannelBridge {ProductVersion.Text}");
        foreach (var address in addresses)
            output.WriteLine($"listening: {address} (WebSocket: OpenClaw dialect on / and /ws, JSON-RPC on /rpc; /healthz, /readyz)");
        foreach (var (address, url) in ownAddresses) output.WriteLine($"listening: {url} (only endpoints of {string.Join(", ", address.Channels)}; /healthz)");
        foreach (var address in addresses)
            output.WriteLine($"responses: {address}/v1 (Open Responses for OpenAI clients; the key is the token, the model is an "
                + "agent's name)");
        if (settings.Socket is { } socket) output.WriteLine($"listening: unix:{socket} (JSON-RPC: local tools and the OpenClaw plugin)");
        if (settings.Stdio) output.WriteLine("listening: standard input and output (JSON-RPC)");
        output.WriteLine(settings.Agent switch
        {
            "echo" => "agent:     messages on the own listener are answered by the echo agent: it repeats what you say; see --agent",
            "openclaw" => "agent:     messages on the own listener are answered by OpenClaw; they wait while its plugin isn't connected",
            var other => $"agent:     messages on the own listener are answered by the agent '{other}'{Behind(settings, other)}",
        });
        output.WriteLine($"data:      {folder.Path} (token in {folder.TokenPath})");
        if (settings.Store.IsShared) output.WriteLine($"store:     {store}");
        output.WriteLine($"chat:      channelbridge chat{ChatOptions(settings, addresses)}");
        foreach (var address in addresses.Concat(ownAddresses.Select(one => one.Url)).Where(HostComposition.IsPublic))
        {
            if (address.StartsWith("http:", StringComparison.OrdinalIgnoreCase))
                output.WriteLine($"warning:   {address} can be reached from other machines without encryption, tokens included; use https or a proxy that does");
        }

        if (bncr is { DmPolicy: BncrPolicyMode.Open } or { GroupPolicy: BncrPolicyMode.Open } && addresses.Any(HostComposition.IsPublic))
        {
            output.WriteLine("warning:   other machines can reach the host and its policy is open: every holder of a token can send any "
                + "user's messages to the agent; "
                + "see Channels:Bncr:DmPolicy, GroupPolicy and AllowFrom");
        }

        foreach (var warning in folder.Warnings.Concat(settings.Warnings)) output.WriteLine($"warning:   {warning}");
        output.WriteLine(Ready);
        output.Flush();
    }

    /// <summary>Where an agent is and which model it asks for; never a query, which may hold a key.</summary>
    private static string Behind(HostSettings settings, string name) =>
        settings.Agents.FirstOrDefault(agent => string.Equals(agent.Name, name, StringComparison.OrdinalIgnoreCase)) is { Url: { } url } agent
            ? $" at {url.GetLeftPart(UriPartial.Path)}{(agent.Model is { } model ? $", model {model}" : "")}"
            : "";

    /// <summary>The options that lead a <c>chat</c> to this host; none when the defaults do.</summary>
    private static string ChatOptions(HostSettings settings, IReadOnlyCollection<string> addresses)
    {
        // Where the host listens stands in the data folder.
        var options = addresses.Count > 0 ? "" : " --url unix:" + settings.Socket;
        if (settings.DataDirectory != Defaults.DataDirectory()) options += $" --data {settings.DataDirectory}";
        return options;
    }
}
