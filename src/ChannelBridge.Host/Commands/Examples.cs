namespace ChannelBridge.Host.Commands;

/// <summary>Examples that stand under the help of each command; each is a line that works.</summary>
internal static class Examples
{
    /// <summary>The examples of a command, named with those above it, e.g. <c>dead-letters list</c>.</summary>
    public static IReadOnlyList<string> Of(string command) => command switch
    {
        "serve" =>
        [
            "channelbridge serve",
            "channelbridge serve --urls http://127.0.0.1:7788 --data /var/lib/channelbridge --agent openclaw",
            "channelbridge serve --agent chat-completions=http://127.0.0.1:11434/v1 --agent-model llama3.2",
            "channelbridge serve --agent responses=https://api.openai.com/v1 --agent-model gpt-5-mini --agent-key-file /run/secrets/model-key",
            "channelbridge serve --token-file /run/secrets/channelbridge-token --otlp http://127.0.0.1:4318",
            "channelbridge serve --store \"Host=db.internal;Database=channelbridge;Username=bridge\" --token-file /run/secrets/channelbridge-token",
            "CHANNELBRIDGE__LISTEN__URLS=http://127.0.0.1:9000 channelbridge serve",
        ],
        "config" => ["channelbridge config check", "channelbridge config show Limits", "channelbridge config show --set --json | jq .settings"],
        "config check" => ["channelbridge config check --data /var/lib/channelbridge && systemctl restart channelbridge"],
        "config show" => ["channelbridge config show Channels:Bncr", "CHANNELBRIDGE__LIMITS__TURNTIMEOUT=5m channelbridge config show --set"],
        "peers" => ["channelbridge peers add helpdesk", "channelbridge peers list"],
        "peers add" => ["channelbridge peers add helpdesk > /run/secrets/helpdesk-token",
            "channelbridge peers add helpdesk --url https://agent.example.com --outbound-key-file /run/secrets/helpdesk-key"],
        "peers list" => ["channelbridge peers list", "channelbridge peers list --json"],
        "peers rotate" => ["channelbridge peers rotate helpdesk --grace 1h"],
        "peers remove" => ["channelbridge peers remove helpdesk"],
        "peers forget" => ["channelbridge peers forget helpdesk"],
        "tasks" => ["channelbridge tasks list", "channelbridge tasks cancel 6a2f6f0e-1c53-8f0a-9d11-0c2b7d6c51a0"],
        "tasks list" => ["channelbridge tasks list --peer helpdesk --status working"],
        "tasks show" => ["channelbridge tasks show 6a2f6f0e-1c53-8f0a-9d11-0c2b7d6c51a0"],
        "tasks cancel" => ["channelbridge tasks cancel 6a2f6f0e-1c53-8f0a-9d11-0c2b7d6c51a0"],
        "a2a" => ["channelbridge a2a card https://agent.example.com", "channelbridge a2a send https://agent.example.com --stream Hello"],
        "a2a send" =>
        [
            "channelbridge a2a send https://agent.example.com --key-file ~/.agent-key --stream How is the weather in Bern?",
            "channelbridge a2a send https://agent.example.com --task 6a2f6f0e --json In the afternoon",
        ],
        "aun" => ["channelbridge aun root > root.pem", "channelbridge aun list", "channelbridge aun send alice.agentid.pub --root-ca root.pem bob.agentid.pub Hello"],
        "aun create" => ["channelbridge aun create alice.agentid.pub --root-ca root.pem --gateway ws://127.0.0.1:7788/aun"],
        "aun send" =>
        [
            "channelbridge aun send alice.agentid.pub --root-ca root.pem bob.agentid.pub Hello Bob",
            "channelbridge aun send alice.agentid.pub --root-ca root.pem bob.agentid.pub --payload '{\"type\":\"image\",\"url\":\"https://example.com/a.png\"}'",
        ],
        "aun listen" => ["channelbridge aun listen alice.agentid.pub --root-ca root.pem --json"],
        "aun list" => ["channelbridge aun list", "channelbridge aun list --json"],
        "aun revoke" => ["channelbridge aun revoke alice.agentid.pub"],
        "aun pair" => ["channelbridge aun pair alice.agentid.pub"],
        "aun root" => ["channelbridge aun root --data /var/lib/channelbridge > root.pem"],
        "aun tls" => ["channelbridge aun tls gateway.agentid.pub localhost 127.0.0.1"],
        "juji" => ["channelbridge juji init", "channelbridge juji task-list --status open --format md"],
        "juji ws-call" => ["channelbridge juji ws-call --action proposal/list_with_stats --params '{\"only_open\": true}'"],
        "juji daemon" => ["channelbridge juji daemon --reconnect-window 180 --reconnect-interval 3"],
        "teams" => ["channelbridge teams create \"The shop\"", "channelbridge teams join mc:eyJ0Ijoi…", "channelbridge teams members"],
        "teams create" => ["channelbridge teams create \"The shop\""],
        "teams rotate" => ["channelbridge teams rotate --team 6a2f6f0e-1c53-4f0a-9d11-0c2b7d6c51a0"],
        "sessions" => ["channelbridge sessions start https://agent.example.com What is open?", "channelbridge sessions list"],
        "import multiclaws" => ["channelbridge import multiclaws ~/.openclaw/multiclaws"],
        "agents" => ["channelbridge agents list", "channelbridge agents add https://agent.example.com --key-file ~/.agent-key"],
        "profile" => ["channelbridge profile show", "channelbridge profile set --name Ann --bio-file bio.md"],
        "demo" => ["channelbridge demo", "channelbridge demo --data ~/.channelbridge --agent openclaw"],
        "chat" =>
        [
            "channelbridge chat",
            "channelbridge chat --url ws://127.0.0.1:7788 --token-file /run/secrets/channelbridge-token --user alice",
            "echo hello | channelbridge chat",
        ],
        "diagnostics" => ["channelbridge diagnostics", "channelbridge diagnostics --json | jq .channels",
            "channelbridge diagnostics --watch", "channelbridge diagnostics --section messaging"],
        "plugins" => ["channelbridge plugins list", "channelbridge plugins install ./my-chat-1.0.0.cbplugin"],
        "plugins list" => ["channelbridge plugins list --json"],
        "plugins install" => ["channelbridge plugins install samples/plugin-python"],
        "plugins restart" => ["channelbridge plugins restart my-chat"],
        "plugins update" => ["channelbridge plugins update my-chat ./my-chat-1.1.0.cbplugin"],
        "plugins trust" => ["channelbridge plugins trust ann rSVGyVgOTTVBMJZmu2EHgfDxz2qjSEUxpyvhgDVLx2E=", "channelbridge plugins trust ann --remove"],
        "plugins logs" => ["channelbridge plugins logs my-chat --limit 20"],
        "plugin run" => ["channelbridge plugin run ./my-chat", "channelbridge plugin run ./my-chat --data /tmp/my-chat --port 7790"],
        "plugin keygen" => ["channelbridge plugin keygen ~/.my-chat.key"],
        "plugin pack" => ["channelbridge plugin pack ./my-chat --sign ~/.my-chat.key"],
        "plugin" => ["channelbridge plugin check ./my-chat", "channelbridge plugin pack ./my-chat --out my-chat.cbplugin"],
        "openclaw" or "openclaw pack" => ["channelbridge openclaw pack --out channelbridge-openclaw.tgz", "channelbridge openclaw pack --install"],
        "watch" => ["channelbridge watch", "channelbridge watch outbox.changed --json"],
        "conversations" => ["channelbridge conversations", "channelbridge conversations --account Chat-alice --json | jq -r "
            + "'.entries[].target'"],
        "forget-account" => ["channelbridge forget-account Chat-alice"],
        "send" =>
        [
            "channelbridge send --to Bncr:qq:888888 Hello",
            "channelbridge send --account shop --to Bncr:qq:123456:888888 --key order-4711 \"Your order is ready\"",
        ],
        "send-file" =>
        [
            "channelbridge send-file report.pdf --user alice --message \"Please summarise\"",
            "channelbridge send-file clip.mp4 --to Bncr:qq:888888 --account shop",
            "channelbridge send-file backup.tar --window 16 --chunk 1048576",
        ],
        "receive-file" => ["channelbridge receive-file --out ./inbox", "channelbridge receive-file --account shop --count 0 --out /var/lib/shop/files"],
        "dead-letters" =>
        [
            "channelbridge dead-letters list",
            "channelbridge dead-letters show 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11",
            "channelbridge dead-letters replay --reason push-retry-limit",
            "channelbridge dead-letters prune --older-than 7d --dry-run",
        ],
        "dead-letters list" => ["channelbridge dead-letters list", "channelbridge dead-letters list --account shop --older-than 1h --json | jq '.entries[].messageId'"],
        "dead-letters show" => ["channelbridge dead-letters show 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11",
            "channelbridge dead-letters show 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11 --json | jq .history"],
        "dead-letters replay" =>
        [
            "channelbridge dead-letters replay 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11",
            "channelbridge dead-letters replay --account shop --route Bncr:qq:888888 --dry-run",
            "channelbridge dead-letters replay --all",
        ],
        "dead-letters discard" => ["channelbridge dead-letters discard 6a2f6f0e-4d7f-4a3e-9c55-2d1f0b8c1a11", "channelbridge dead-letters discard --reason fatal-ack --yes"],
        "dead-letters prune" => ["channelbridge dead-letters prune --older-than 30d --dry-run", "channelbridge dead-letters prune --older-than 7d --account shop --yes"],
        "dead-letters audit" => ["channelbridge dead-letters audit", "channelbridge dead-letters audit --limit 1000 --json"],
        "tokens" => ["channelbridge tokens list", "channelbridge tokens add shop --scope operator.write --account shop", "channelbridge tokens revoke shop"],
        "tokens list" => ["channelbridge tokens list", "channelbridge tokens list --json | jq '.tokens[].name'"],
        "tokens add" =>
        [
            "channelbridge tokens add shop --scope operator.write --account shop --expires-in 90d",
            "channelbridge tokens add partner --scope peer --channel a2a > partner.token",
        ],
        "tokens rotate" => ["channelbridge tokens rotate shop", "channelbridge tokens rotate shop --grace 0s"],
        "tokens revoke" => ["channelbridge tokens revoke shop"],
        "tokens audit" => ["channelbridge tokens audit", "channelbridge tokens audit --limit 1000 --json"],
        "ask" =>
        [
            "channelbridge ask \"What is the weather in Paris?\" --stream",
            "channelbridge ask --agent openclaw --timeout 60 \"Are you there?\"",
            "channelbridge ask --model echo --json hello | jq .output",
            "git diff | channelbridge ask - --instructions \"Review this change\" --stream",
        ],
        "store" => ["channelbridge store check", "channelbridge store backup /backup/channelbridge.db"],
        "store check" => ["channelbridge store check", "channelbridge store check /backup/channelbridge.db", "channelbridge store check --quick --data /var/lib/channelbridge"],
        "store compact" => ["channelbridge store compact --data /var/lib/channelbridge"],
        "store backup" => ["channelbridge store backup /backup/channelbridge-$(date +%F).db --data /var/lib/channelbridge"],
        "store export" =>
        [
            "channelbridge store export store.jsonl.gz",
            "channelbridge store export store.jsonl.gz --store \"Host=db.internal;Database=channelbridge;Username=bridge\"",
        ],
        "store import" => ["channelbridge store import store.jsonl.gz --data /var/lib/channelbridge",
            "channelbridge store import store.jsonl.gz --store \"Host=db.internal;Database=channelbridge;Username=bridge\""],
        "import" => ["channelbridge import ~/.openclaw/bncr-bridge-state.json --dry-run", "channelbridge import ~/.openclaw/bncr-bridge-state.json --data /var/lib/channelbridge"],
        _ => [],
    };
}
