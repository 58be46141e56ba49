using System.Collections.Concurrent;
using System.Security.Cryptography;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Channels.A2A.Http;

/// <summary>What the card says of types. Files of any type reach an agent, as bytes where it knows no better.</summary>
internal static class CardTypes
{
    /// <summary>The types.</summary>
    public static readonly IReadOnlyList<string> Taken = ["text/plain", "application/json", "application/octet-stream"];
}

/// <summary>The card: what this host is for peers, and where it answers.</summary>
internal sealed class CardMaker(A2AOptions options, IRegistry? registry)
{
    private const int MostKept = 64;

    private readonly AsyncLocal<string?> _address = new();
    private readonly ConcurrentDictionary<(string Base, string Version), (AgentProfile? Profile, byte[] Json, string Tag)> _made = new();

    /// <summary>The card as bytes, in one version's shape, with its entity tag.</summary>
    public (byte[] Json, string Tag) Write(string address, string version)
    {
        var profile = Profile();
        if (_made.TryGetValue((address, version), out var known) && known.Profile == profile) return (known.Json, known.Tag);
        var json = (version == Versions.V10 ? A2ADialect.V10 : A2ADialect.V03).Card.ToBytes(Make(address));
        var tag = Convert.ToHexStringLower(SHA256.HashData(json).AsSpan(0, 12));
        // Each is for an address of this host; something must be odd when there are many.
        if (_made.Count >= MostKept) _made.Clear();
        _made[(address, version)] = (profile, json, tag);
        return (json, tag);
    }

    /// <summary>The card for a peer that is known: with its bounds.</summary>
    public AgentCard Extended(string client, string? agent)
    {
        var card = Make(Address ?? options.SelfUrl ?? "http://127.0.0.1");
        return card with
        {
            Description = $"{card.Description}. You are known here as {client}: {options.SendsPerMinute} messages and {options.ReadsPerMinute} other calls a minute, "
                + $"{options.MaxTasksPerPeer} tasks, kept {options.Retention.TotalDays:0.#} days after their end.",
            Skills = agent is null ? card.Skills : [.. card.Skills.Where(skill => skill.Id == agent)],
        };
    }

    /// <summary>The address by which the request came in that is being answered.</summary>
    public string? Address
    {
        get => _address.Value;
        set => _address.Value = value;
    }

    private AgentProfile? Profile() => registry?.Current.Of<IAgentProfileSource>().Select(static source => source.Profile).FirstOrDefault(static profile => profile is not null);

    private AgentCard Make(string address)
    {
        var url = address.TrimEnd('/') + "/a2a";
        var profile = Profile();
        string[] agents = [options.Agent, .. options.Expose.Where(agent => !string.Equals(agent, options.Agent, StringComparison.OrdinalIgnoreCase))
            .Distinct(StringComparer.OrdinalIgnoreCase)];
        return new AgentCard
        {
            Name = profile?.Name ?? options.Name,
            Description = profile?.Description ?? options.Description,
            Version = typeof(CardMaker).Assembly.GetName().Version?.ToString(3) ?? "1.0.0",
            SupportedInterfaces =
            [
                .. new[] { Versions.V10, Versions.V03 }.SelectMany(version => new[] { Bindings.JsonRpc, Bindings.Rest }.Select(binding => Interface(url, binding, version, null))),
                .. agents.Skip(1).SelectMany(agent => new[] { Bindings.JsonRpc, Bindings.Rest }.Select(binding => Interface(url, binding, Versions.V10, agent))),
            ],
            Capabilities = new AgentCapabilities { Streaming = true, PushNotifications = true, ExtendedAgentCard = true },
            SecuritySchemes = new Dictionary<string, SecurityScheme>
            {
                ["bearer"] = new() { HttpAuthSecurityScheme = new HttpAuthScheme { Scheme = "bearer", Description = "The token that this host's operator has made for you" } },
            },
            SecurityRequirements = [new SecurityRequirement { Schemes = new Dictionary<string, ScopeList> { ["bearer"] = new() { List = [] } } }],
            DefaultInputModes = CardTypes.Taken,
            DefaultOutputModes = CardTypes.Taken,
            Skills = [.. agents.Select(Skill)],
        };
    }

    private AgentSkill Skill(string agent)
    {
        var profile = registry?.Current.Of<IAgentProfileSource>().Select(source => source.ProfileOf(agent)).FirstOrDefault(static found => found is not null);
        return new AgentSkill { Id = agent, Name = profile?.Name ?? agent, Description = profile?.Description ?? $"The agent {agent}", Tags = ["agent"] };
    }

    private static AgentInterface Interface(string url, string binding, string version, string? tenant) =>
        new() { Url = url, ProtocolBinding = binding, ProtocolVersion = version, Tenant = tenant };
}
