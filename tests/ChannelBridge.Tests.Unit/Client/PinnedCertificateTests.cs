using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Client;

/// <summary>A gateway with a certificate that nobody else vouches for.</summary>
public sealed class PinnedCertificateTests : IAsyncLifetime
{
    private readonly X509Certificate2 _certificate = MakeCertificate();
    private WebApplication _gateway = null!;
    private string _endpoint = "";

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_certificate)));
        _gateway = builder.Build();
        _gateway.UseWebSockets();
        _gateway.Run(ServeAsync);
        await _gateway.StartAsync();
        _endpoint = _gateway.Urls.Single().Replace("https:", "wss:", StringComparison.Ordinal);
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task PinnedOne_IsAccepted()
    {
        await using var client = Make(_certificate.GetCertHashString(HashAlgorithmName.SHA256));
        await client.ConnectAsync().WaitAsync(ScriptedHost.Timeout);
    }

    [Fact]
    public async Task AnotherOne_IsRefused()
    {
        using var other = MakeCertificate();
        await using var client = Make(other.GetCertHashString(HashAlgorithmName.SHA256));
        var fault = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.ConnectAsync().WaitAsync(ScriptedHost.Timeout));
        Assert.Equal(ClientErrorCodes.Unreachable, fault.Code);
        Assert.Contains("certificate", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NotPinned_TheSystemsRulesHold()
    {
        await using var client = Make(null);
        await Assert.ThrowsAsync<ChannelBridgeClientException>(() => client.ConnectAsync().WaitAsync(ScriptedHost.Timeout));
    }

    private ChannelBridgeClient Make(string? fingerprint) => new(new ChannelBridgeClientOptions
    {
        Endpoint = _endpoint,
        TlsFingerprint = fingerprint,
        ConnectTimeout = ScriptedHost.Timeout,
    });

    private static async Task ServeAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        await SendAsync("""{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1,"capabilities":[]}}""");
        var buffer = new byte[4096];
        await socket.ReceiveAsync(buffer, context.RequestAborted);
        await SendAsync("""
            {"type":"res","id":"1","ok":true,"payload":{"type":"hello-ok","protocol":4,"server":{"version":"9","connId":"c","bootId":"b"},
             "features":{"methods":[],"events":[],"capabilities":[]},"snapshot":{},"auth":{"role":"operator","scopes":[]},
             "policy":{"maxPayload":4096,"maxBufferedBytes":1,"tickIntervalMs":1}}}
            """);
        await socket.ReceiveAsync(buffer, context.RequestAborted);

        Task SendAsync(string frame) => socket.SendAsync(
            System.Text.Encoding.UTF8.GetBytes(frame), System.Net.WebSockets.WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }
}
