using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Profile;
using ChannelBridge.Channels.MultiClaws.Teams;
using ChannelBridge.Channels.MultiClaws.Tools;
using ChannelBridge.Core.Access;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.MultiClaws.Teams;

/// <summary>What went over the network.</summary>
internal sealed record Seen(string To, string Verb, string Path, string Headers, byte[] Body, int Status, byte[] Answer);

/// <summary>Several hosts' teams in this process, with a network between them that can be cut and overheard.</summary>
internal sealed class TeamLab : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, TeamNode> _nodes = new(StringComparer.Ordinal);

    public ConcurrentQueue<Seen> Traffic { get; } = new();

    public ConcurrentDictionary<string, bool> Away { get; } = new(StringComparer.Ordinal);

    /// <summary>Two nodes that don't reach each other.</summary>
    public (TeamNode One, TeamNode Other)? Cut { get; set; }

    /// <summary>Changes the answers to requests of members' lists, as somebody between two hosts can.</summary>
    public Func<byte[], byte[]>? Forge { get; set; }

    public async Task<TeamNode> AddAsync(string name, Action<MultiClawsOptions>? configure = null, MemoryStore? store = null, string? url = null, bool withProfile = true)
    {
        var node = new TeamNode(this, url ?? $"http://10.0.0.{_nodes.Count + 1}:7788", store ?? new MemoryStore(), configure);
        _nodes[node.Url] = node;
        await node.Book.LoadAsync(default);
        if (withProfile && !OwnProfile.IsComplete(await node.Profile.GetAsync(default))) await node.Profile.SetAsync(name, $"{name} knows things", default);
        node.Spread.Start();
        return node;
    }

    public async Task RemoveAsync(TeamNode node)
    {
        _nodes.TryRemove(node.Url, out _);
        await node.DisposeAsync();
    }

    /// <summary>Everybody is told and nobody says anything more.</summary>
    public Task QuietAsync() => Wait.UntilAsync(() => _nodes.Values.All(static node => node.Spread.Owed == 0));

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.Values) await node.DisposeAsync();
    }

    /// <summary>Sends a request as the door would take it.</summary>
    public async Task<(int Status, byte[] Body, string? Proof)> SendAsync(
        string verb, string url, byte[] body, string? authorization, string from = "10.9.9.9")
    {
        var target = new Uri(url);
        var origin = target.GetLeftPart(UriPartial.Authority);
        bool IsBetween(TeamNode one, TeamNode other) => new Uri(one.Url).Host == from && other.Url == origin;
        if (Cut is { } cut && (IsBetween(cut.One, cut.Other) || IsBetween(cut.Other, cut.One))) throw BridgeException.Unavailable("The address can't be reached.");
        if (Away.ContainsKey(origin) || !_nodes.TryGetValue(origin, out var node)) throw BridgeException.Unavailable("The address can't be reached, or it takes too long.");
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (authorization is not null) headers["Authorization"] = authorization;
        var parts = target.AbsolutePath.Split('/');
        var endpoint = node.Endpoints.Http.First(one => one.Path == $"/team/{{id}}/{parts[^1]}" && one.Verbs.Contains(verb));
        var request = new EndpointRequest
        {
            Id = "r",
            Verb = verb,
            Path = Uri.UnescapeDataString(target.AbsolutePath),
            QueryText = target.Query,
            Origin = origin,
            Template = endpoint.Path,
            PathValues = new Dictionary<string, string> { ["id"] = parts[2] },
            Headers = headers,
            RemoteAddress = IPAddress.Parse(from),
        };
        var exchange = new LabExchange(request, body);
        var verdict = await endpoint.Access.Check!(request, default);
        if (verdict.Caller is null) exchange.Answer = new HttpAnswer { Status = verdict.Status, Content = "{}"u8.ToArray() };
        else if (verdict.BodyHash is { } hash && !SHA256.HashData(body).AsSpan().SequenceEqual(hash.Span)) exchange.Answer = new HttpAnswer { Status = 401 };
        else if (body.Length > endpoint.MaxBodyBytes) exchange.Answer = new HttpAnswer { Status = 413 };
        else
        {
            exchange.Who = verdict.Caller;
            await endpoint.Handler(exchange, default);
        }

        var answer = exchange.Answer!;
        Traffic.Enqueue(new Seen(origin, verb, target.PathAndQuery, authorization + string.Join('\n', answer.Headers), body, answer.Status, answer.Content.ToArray()));
        return (answer.Status, answer.Content.ToArray(), answer.Headers.FirstOrDefault(static header => header.Key == TeamClient.AnswerHeader).Value);
    }

    private sealed class LabExchange(EndpointRequest request, byte[] body) : HttpExchange
    {
        public HttpAnswer? Answer { get; set; }

        public Caller? Who { get; set; }

        public override EndpointRequest Request => request;

        public override Caller? Caller => Who;

        public override bool HasAnswered => Answer is not null;

        public override ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<ReadOnlyMemory<byte>>(body);

        public override ValueTask AnswerAsync(HttpAnswer answer, CancellationToken cancellationToken = default)
        {
            Answer = answer;
            return default;
        }

        public override ValueTask<IEventWriter> BeginEventsAsync(EventStreamStart? start = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();
    }
}

/// <summary>One host's teams.</summary>
internal sealed class TeamNode : IGuardedHttp, IHostAddresses, ISettingsSource, INotifier, IAsyncDisposable
{
    private readonly TeamLab _lab;

    public TeamNode(TeamLab lab, string url, MemoryStore store, Action<MultiClawsOptions>? configure)
    {
        _lab = lab;
        Url = url;
        Store = store;
        var options = new MultiClawsOptions { DisplayName = "host" };
        configure?.Invoke(options);
        var seal = new SecretSeal(Path.Combine(Scratch.NewFolder("mc"), "key"));
        if (SealOf.TryGetValue(store, out var known)) seal = known;
        else SealOf.Add(store, seal);
        Keys = new HostKey(store, seal, Time);
        Book = new TeamBook(store, seal, Keys, Time);
        Profile = new OwnProfile(store, options, Time);
        Client = new TeamClient(this, Keys, options, Time);
        Spread = new TeamSpread(Book, Client, Keys, Time, new Random(1), NullLogger<TeamSpread>.Instance);
        Desk = new TeamDesk(Book, Spread, Client, Keys, Profile, new SelfAddress(this, this, static () => []), options, Time);
        Endpoints = new TeamEndpoints(Book, Spread, new NonceBook(store, Time), Time);
        Gate = new MemberGate(Book, new NonceBook(store, Time), options, Time);
        Agents = new AgentBook(store, seal, Book, Keys, options, Time);
        Onboarding = new Onboarding(Profile, store, this, options, Time, NullLogger<Onboarding>.Instance);
        Calls = new TeamCalls(Desk, Agents, new CardFetcher(this, options), Profile, Onboarding);
    }

    public static System.Runtime.CompilerServices.ConditionalWeakTable<MemoryStore, SecretSeal> SealOf { get; } = [];

    public string Url { get; }

    public string? SelfUrl { get; set; }

    public MemoryStore Store { get; }

    public TimeProvider Time { get; } = new ShiftedTime();

    public TimeSpan Shift { set => ((ShiftedTime)Time).Shift = value; }

    public HostKey Keys { get; }

    public TeamBook Book { get; }

    public OwnProfile Profile { get; }

    public TeamClient Client { get; }

    public TeamSpread Spread { get; }

    public TeamDesk Desk { get; }

    public TeamEndpoints Endpoints { get; }

    public MemberGate Gate { get; }

    public AgentBook Agents { get; }

    public Onboarding Onboarding { get; }

    public TeamCalls Calls { get; }

    public List<(string Session, string Text, string Key)> Told { get; } = [];

    public IReadOnlyList<string> Listening => [Url];

    public string? Get(string key) => key == "Channels:A2A:SelfUrl" ? SelfUrl : null;

    public IReadOnlyList<string> Children(string key) => [];

    /// <summary>The names of a team's members, in order.</summary>
    public string Names(string teamId) => Book.Find(teamId) is { } team
        ? string.Join(' ', team.Table.Members.Select(static member => member.Name).Order(StringComparer.Ordinal))
        : "-";

    public async Task<GuardedAnswer> SendAsync(GuardedRequest request, CancellationToken cancellationToken = default)
    {
        await Task.Yield();
        if (_lab.Away.ContainsKey(Url)) throw BridgeException.Unavailable("The address can't be reached, or it takes too long.");
        var authorization = request.Headers.FirstOrDefault(static header => header.Key == "Authorization").Value;
        var (status, body, proof) = await _lab.SendAsync(request.Verb, request.Url.ToString(), request.Content.ToArray(), authorization, new Uri(Url).Host);
        if (_lab.Forge is { } forge && request.Url.AbsolutePath.EndsWith("/members", StringComparison.Ordinal)) body = forge(body);
        return new Answer(status, request.Url, body, proof);
    }

    public ValueTask CheckAsync(Uri url, IReadOnlyList<string> networks, CancellationToken cancellationToken = default) => default;

    public async ValueTask NotifyAsync(NoticeOrigin origin, string text, string key, IReadOnlyList<RecordWrite>? records = null, CancellationToken cancellationToken = default)
    {
        Told.Add((((GatewaySessionOrigin)origin).SessionKey, text, key));
        if (records is not null) await ((IRecords)Store).WriteAsync(records, cancellationToken);
    }

    /// <summary>A request of this node that the caller may spoil.</summary>
    public async Task<string> ProofAsync(string verb, string to, string path, byte[] body, byte[]? secret = null) =>
        $"{RequestProof.Scheme} {RequestProof.Make(await Keys.GetAsync(default), verb, to, new Uri(to + path), body, Time.GetUtcNow(), secret).Write()}";

    public async ValueTask DisposeAsync()
    {
        await Spread.StopAsync();
        Spread.Dispose();
        Book.Dispose();
        Desk.Dispose();
        Profile.Dispose();
        Keys.Dispose();
    }

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }

    private sealed class Answer(int status, Uri url, byte[] body, string? proof) : GuardedAnswer
    {
        public override int Status => status;

        public override Uri Url => url;

        public override string? ContentType => "application/json";

        public override string? Header(string name) => name == TeamClient.AnswerHeader ? proof : null;

        public override ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<ReadOnlyMemory<byte>>(body);

        public override IAsyncEnumerable<ServerEvent> ReadEventsAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public override ValueTask DisposeAsync() => default;
    }
}
