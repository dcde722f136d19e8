import type { ReactNode } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { words } from "../words";
import { Action } from "./Action";

interface Props {
    open: boolean;
    title: string;
    text: string;
    /** What is done if they say yes; without it the children hold the choices. */
    action?: string;
    confirm?: () => void;
    close: () => void;
    cancel?: string;
    children?: ReactNode;
}

/** A question before something that cannot be undone. */
export function Confirm({ open, title, text, action, confirm, close, cancel = words.cancel, children }: Props) {
    return (
        <ModalOverlay className="overlay" isOpen={open} onOpenChange={(next) => !next && close()} isDismissable>
            <Modal className="modal">
                <Dialog role="alertdialog" className="dialog stack">
                    <Heading slot="title">{title}</Heading>
                    <p className="quiet">{text}</p>
                    {children}
                    <div className="actions">
                        <Action look="plain" onPress={close}>
                            {cancel}
                        </Action>
                        {action && confirm && (
                            <Action
                                look="filled"
                                onPress={() => {
                                    confirm();
                                    close();
                                }}
                            >
                                {action}
                            </Action>
                        )}
                    </div>
                </Dialog>
            </Modal>
        </ModalOverlay>
    );
}
