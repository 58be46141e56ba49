using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Tests.Unit.Endpoints;

/// <summary>A source of endpoints that a test puts together.</summary>
internal sealed class TestSource(string channel = "test") : IEndpointSource
{
    public List<HttpEndpoint> HttpList { get; } = [];

    public List<SocketEndpoint> SocketList { get; } = [];

    public string Channel => channel;

    public IEnumerable<HttpEndpoint> Http => HttpList;

    public IEnumerable<SocketEndpoint> Sockets => SocketList;

    public TestSource Get(string path, Func<HttpExchange, CancellationToken, ValueTask> handler, EndpointAccess? access = null, EndpointPlace place = EndpointPlace.Listener) =>
        Add(new HttpEndpoint { Verbs = ["GET"], Path = path, Access = access ?? EndpointAccess.Anonymous, Handler = handler, Place = place });

    public TestSource Post(string path, Func<HttpExchange, CancellationToken, ValueTask> handler, EndpointAccess? access = null,
        int maxBody = 64 * 1024, BodyFormat format = BodyFormat.Bytes) =>
        Add(new HttpEndpoint { Verbs = ["POST"], Path = path, Access = access ?? EndpointAccess.Anonymous, Handler = handler, MaxBodyBytes = maxBody, Body = format });

    public TestSource Text(string path, string text, EndpointAccess? access = null, EndpointPlace place = EndpointPlace.Listener) =>
        Get(path, (exchange, _) => exchange.AnswerAsync(HttpAnswer.Text(text)), access, place);

    public TestSource Add(HttpEndpoint endpoint)
    {
        HttpList.Add(endpoint);
        return this;
    }

    public TestSource Add(SocketEndpoint endpoint)
    {
        SocketList.Add(endpoint);
        return this;
    }

    public static EndpointAccess Peer => EndpointAccess.Scope(Scopes.Peer);
}
